"""A slow scorer, one member at a time, written from the CMS rules in prose; it shares no code with the engine.

Only plain facts come from the tables (which code is which HCC, which coefficient is which number); every rule
(hierarchy, groups, severity lists, interactions, counts) is typed here again, from the DIY tables' text.
"""

from collections import defaultdict
from datetime import date
from functools import cache
from pathlib import Path

import polars as pl

DATA = Path(__file__).resolve().parents[3] / "src/riskflow/members/tables/data"

# DIY Table 4: a dominant HCC → the HCCs that it zeroes.
HIERARCHY = {
    "3": "4", "8": "9 10 11 12 13", "9": "10 11 12 13", "10": "11 12 13", "11": "12 13", "12": "13",
    "18": "19 20 21 22", "19": "20 21", "20": "21", "34": "35_1 35_2 36 37_1 37_2",
    "35_1": "35_2 36 37_1 37_2", "35_2": "36 37_1 37_2", "36": "37_1 37_2", "37_1": "37_2", "41": "45 48",
    "42": "45", "46": "47", "54": "55", "56": "57", "66": "75", "67": "75", "68": "69 74 75", "70": "71",
    "73": "74", "81": "82 83 84", "82": "83 84", "83": "84", "87_1": "87_2 88 90 102 103",
    "87_2": "88 90 102 103", "88": "90 102 103", "96": "97", "102": "90 103", "103": "90",
    "106": "107 108 109 110 150 151 228", "107": "109 110 150 151 228", "108": "109 110 151 228",
    "109": "110 151 228", "110": "228", "112": "107 109 110 113 150 151 228",
    "113": "107 109 110 150 151 228", "114": "121", "125": "126 127", "126": "127", "128": "129 130",
    "129": "130", "131": "132", "137": "138 139", "138": "139", "145": "146 149", "150": "151",
    "153": "217 234 254", "158": "159 160 161_1 161_2 162", "159": "160 161_1 161_2", "160": "161_1 161_2",
    "161_1": "161_2", "162": "161_1 161_2", "183": "184 187 188", "184": "187 188", "187": "188",
    "203": "204 205 210 211 212", "204": "205 210 211 212", "205": "210 211 212",
    "207": "203 204 205 208 209 210 211 212", "208": "209 210 211 212", "209": "210 211 212",
    "210": "211 212", "211": "212", "218": "219", "223": "122", "234": "254",
    "242": "243 244 245 246 247 248 249", "243": "244 245 246 247 248 249", "244": "245 246 247 248 249",
    "245": "246 247 248 249", "246": "247 248 249", "247": "248 249", "248": "249",
}  # fmt: skip
GROUPS = {
    "G01": "19 20 21", "G02B": "26 27", "G04": "61 62", "G06A": "67 68 69", "G07A": "70 71", "G08": "73 74",
    "G09A": "81 82", "G09C": "83 84", "G10": "106 107", "G11": "108 109", "G12": "117 119", "G13": "126 127",
    "G14": "128 129", "G16": "187 188", "G17A": "204 205", "G18A": "207 208",
}  # fmt: skip
ADULT_GROUPS = {"G21": "137 138 139", "G15A": "160 161_1 161_2"}
CHILD_GROUPS = {"G02D": "28 29", "G03": "54 55", "G19B": "210 211", "G22": "234 254", "G23": "131 132"}
SEVERE = "2 3 4 6 18 23 34 41 42 96 121 122 125 135 145 156 158 163 183 218 223 251"
TRANSPLANT = "18 34 41 158 183 251"
INTERACTIONS = {  # RXC → (name of the interaction, lists of which each must have a member)
    "RXC_01": [("RXC_01_X_HCC001", ["1"])],
    "RXC_02": [("RXC_02_X_HCC037_1_036_035_2_035_1_034", ["34 35_1 35_2 36 37_1"])],
    "RXC_03": [("RXC_03_X_HCC142", ["142"])],
    "RXC_04": [("RXC_04_X_HCC184_183_187_188", ["183 184 187 188"])],
    "RXC_05": [("RXC_05_X_HCC048_041", ["41 48"])],
    "RXC_06": [("RXC_06_X_HCC018_019_020_021", ["18 19 20 21"])],
    "RXC_07": [("RXC_07_X_HCC018_019_020_021", ["18 19 20 21"])],
    "RXC_08": [("RXC_08_X_HCC118", ["118"])],
    "RXC_09": [
        ("RXC_09_X_HCC056_057_AND_048_041", ["56 57", "41 48"]),
        ("RXC_09_X_HCC056", ["56"]),
        ("RXC_09_X_HCC057", ["57"]),
        ("RXC_09_X_HCC048_041", ["41 48"]),
    ],
    "RXC_10": [("RXC_10_X_HCC159_158", ["158 159"])],
}
INFANT_SEVERITY = {  # DIY Table 8, benefit years to 2024
    5: "8 18 34 41 42 125 128 129 130 137 158 183 184 251",
    4: "2 9 26 30 35_1 35_2 64 67 68 73 106 107 111 112 115 122 126 127 131 135 138 145 146 154 156 163 187 253",
    3: "1 3 6 10 11 12 27 45 54 55 61 63 66 74 75 81 82 83 84 96 108 109 110 113 114 117 119 121 132 139 142 "
    "149 150 159 218 223 226 228",
    2: "4 13 19 20 21 23 28 29 36 46 47 48 56 57 62 69 70 97 120 151 153 160 161_1 162 188 217 219",
}
MATURITY = {
    "EXTREMELY_IMMATURE": "242 243 244",
    "IMMATURE": "245 246",
    "PREMATURE_MULTIPLES": "247 248",
    "TERM": "249",
}
DURATION_LAST_DAY = [31, 62, 92, 123, 153, 184, 214, 245, 275, 306, 335, 366]
CSR = {
    2021: {(1, "silver"): 1.12, (2, "silver"): 1.12, (6, "silver"): 1.12, (10, "silver"): 1.12,
           (12, "silver"): 1.12, (13, "silver"): 1.12, (3, "silver"): 1.00, (5, "gold"): 1.07, (9, "gold"): 1.07,
           (7, "bronze"): 1.15, (11, "bronze"): 1.15},
    2023: {(2, "gold"): 1.07, (3, "silver"): 1.12, (4, "bronze"): 1.15},
    2025: {(2, "gold"): 1.07, (3, "silver"): 1.12, (4, "bronze"): 1.51, (5, "bronze"): 1.19,
           (6, "platinum"): 1.31, (7, "platinum"): 1.04, (8, "gold"): 1.39, (9, "gold"): 1.10,
           (10, "silver"): 1.46, (11, "silver"): 1.15},
}  # fmt: skip


def hcc(number):
    base, _, part = number.partition("_")
    return f"HHS_HCC{int(base):03d}" + (f"_{part}" if part else "")


def hccs(numbers):
    return {hcc(number) for number in numbers.split()}


@cache
def facts(year, vintage):
    folder = DATA / f"{year}_{vintage}"
    codes = {row["code"]: row for row in pl.read_parquet(folder / "codes.parquet").iter_rows(named=True)}
    splits, drugs, prices = defaultdict(list), defaultdict(set), {}
    for row in pl.read_parquet(folder / "categories.parquet").iter_rows(named=True):
        splits[row["code"]].append(row)
    for row in pl.read_parquet(folder / "drugs.parquet").iter_rows(named=True):
        drugs[row["code"]].add(row["variable"])
    for row in pl.read_parquet(folder / "coefficients.parquet").iter_rows(named=True):
        prices[row["model"], row["variable"], row["metal"]] = row["coefficient"]
    return codes, splits, drugs, prices


def age_on(day, born):
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def diagnosis_hccs(diagnosis, member, age_last, year, vintage):
    """Return the HCCs of one diagnosis; empty if it does not count."""
    codes, splits, _, _ = facts(year, vintage)
    code, day = diagnosis
    if day is None or day.year != year or day < member["born"] or code not in codes:
        return set()
    age, fact = age_on(day, member["born"]), codes[code]
    if age > age_last or age_last - age > 1:
        return set()
    if fact["valid_from"] is None or not fact["valid_from"] <= day <= fact["valid_to"]:
        return set()
    if not fact["mce_age_low"] <= age <= fact["mce_age_high"]:
        return set()
    if fact["mce_sex"] not in (None, member["sex"]):
        return set()
    return {
        row["variable"]
        for row in splits[code]
        if row["age_low"] <= age_last <= row["age_high"] and row["sex"] in (None, member["sex"])
    }


def score_member(member, year, vintage):
    """Return {span id: (score, adjusted score, sorted variables)} of one member in one issuer and market.

    member: sex, born, spans [(id, metal, csr, first, last)], diagnoses [(code, day)], drugs [code].
    """
    first, last = date(year, 1, 1), date(year, 12, 31)
    inside = [(max(s[3], first), min(s[4], last)) for s in member["spans"] if s[3] <= last and s[4] >= first]
    days = {d for a, b in inside for d in range(a.toordinal(), b.toordinal() + 1)}
    if not days:
        return {}
    age = age_on(max(b for _, b in inside), member["born"])
    duration = next(n for n, most in enumerate(DURATION_LAST_DAY, 1) if len(days) <= most)
    found = set()
    for diagnosis in member["diagnoses"]:
        found |= diagnosis_hccs(diagnosis, member, age, year, vintage)
    for top, low in HIERARCHY.items():
        if hcc(top) in found:
            found -= hccs(low)
    drugs = set()
    for code in member["drugs"]:
        drugs |= facts(year, vintage)[2].get(code, set())
    if age >= 21:
        model, variables = "adult", adult(found, drugs, member["sex"], age, duration, year)
    elif age >= 2:
        model, variables = "child", child(found, drugs, member["sex"], age, year)
    else:
        model, variables = "infant", infant(found, member["sex"], age, year)
    prices = facts(year, vintage)[3]
    result = {}
    for name, metal, csr, a, b in member["spans"]:
        if a <= last and b >= first:
            total = sum(prices[model, variable, metal] for variable in sorted(variables))
            table = CSR[2021 if year <= 2022 else 2023 if year <= 2024 else 2025]
            result[name] = (total, total * table.get((csr, metal), 1.0), sorted(variables))
    return result


def age_sex(sex, age, bounds):
    for low, high in bounds:
        if low <= age <= high:
            return f"{sex}AGE_LAST_{low}_{'GT' if high > 100 else high}"
    raise AssertionError


def grouped(found, groups):
    variables = set(found)
    for name, members in groups.items():
        if variables & hccs(members):
            variables = (variables - hccs(members)) | {name}
    return variables


def adult(found, drugs, sex, age, duration, year):
    found = found - hccs("28 64 242 243 244 245 246 247 248 249")
    rxcs = {drug for drug in drugs if drug.startswith("RXC_")}
    if "RXC_06" in rxcs:
        rxcs.discard("RXC_07")
    variables = set(rxcs)
    for rxc in rxcs:
        for name, lists in INTERACTIONS[rxc]:
            if all(found & hccs(one) for one in lists):
                variables.add(name)
    groups = {**GROUPS, **ADULT_GROUPS}
    if year >= 2025:
        del groups["G07A"]
    if year >= 2024:
        groups["G24"] = "18 183"
    paid = grouped(found, groups)
    variables |= paid
    if year <= 2022:
        if found & hccs("2 42 120 122 125 126 127 156") and paid & (
            hccs("6 8 9 10 115 135 145") | {"G06A", "G08"}
        ):
            variables.add("INT_GROUP_H")
        if duration <= 11:
            variables.add(f"ED_{duration}")
    else:
        count = len(paid - hccs("22"))
        severe, transplant = hccs(SEVERE) | {"G13", "G14"}, hccs(TRANSPLANT) | {"G14"}
        if year >= 2024:
            severe, transplant = severe - hccs("18 183") | {"G24"}, transplant - hccs("18 183") | {"G24"}
        if paid & severe:
            variables.add("SEVERE_HCC_COUNT10PLUS" if count >= 10 else f"SEVERE_HCC_COUNT{count}")
        if paid & transplant and count >= 4:
            variables.add("TRANSPLANT_HCC_COUNT8PLUS" if count >= 8 else f"TRANSPLANT_HCC_COUNT{count}")
        if duration <= 6 and count > 0:
            variables.add(f"HCC_ED{duration}")
    if "ACF_PrEP" in drugs and "RXC_01" not in rxcs:
        variables.add("ACF_PrEP")
    bounds = [(21, 24), *((low, low + 4) for low in range(25, 60, 5)), (60, 999)]
    return variables | {age_sex(sex, age, bounds)}


def child(found, drugs, sex, age, year):
    found = found - hccs("22 64 174 242 243 244 245 246 247 248 249")
    groups = {**GROUPS, **CHILD_GROUPS}
    if year >= 2025:
        del groups["G07A"]
    paid = grouped(found, groups)
    variables = set(paid)
    if year >= 2023:
        count = len(paid)
        if paid & (hccs(SEVERE) | {"G13", "G14"}):
            variables.add(
                "SEVERE_HCC_COUNT8PLUS"
                if count >= 8
                else "SEVERE_HCC_COUNT6_7"
                if count >= 6
                else f"SEVERE_HCC_COUNT{count}"
            )
        if paid & (hccs(TRANSPLANT) | {"G14"}) and count >= 4:
            variables.add("TRANSPLANT_HCC_COUNT4PLUS")
    if "ACF_PrEP_Child" in drugs and 11 < age < 21 and hcc("1") not in found:
        variables.add("ACF_PrEP_Child")
    return variables | {age_sex(sex, age, [(2, 4), (5, 9), (10, 14), (15, 20)])}


def infant(found, sex, age, year):
    lists = dict(INFANT_SEVERITY)
    if year >= 2025:  # HCC070 from severity 2 to 3, HCC071 from 1 to 2
        lists[3] += " 70"
        lists[2] = lists[2].replace(" 70 ", " 71 ")
    severity = next((level for level in (5, 4, 3, 2) if found & hccs(lists[level])), 1)
    maturity = "AGE1"
    if age == 0:
        maturity = next((name for name, members in MATURITY.items() if found & hccs(members)), "AGE1")
    variables = {f"{maturity}_X_SEVERITY{severity}"}
    if sex == "M":
        variables.add("AGE0_MALE" if age == 0 and maturity != "AGE1" else "AGE1_MALE")
    return variables
