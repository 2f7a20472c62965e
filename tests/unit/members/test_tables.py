"""The normalised CMS tables: what is in them, what the importer refuses, and that they can be built again."""

import json
import shutil
from datetime import date

import polars as pl
import pytest

from riskflow import artifacts
from riskflow.contracts.members_tables import MODELS, TABLES
from riskflow.errors import RiskflowError
from riskflow.members.tables import importer, language, load, raw
from riskflow.members.tables.diagnoses import ages
from tests.paths import shared_data

SETS = [(row[0], row[1]) for row in load.available().select("benefit_year", "vintage").rows()]


@pytest.fixture(scope="module", params=SETS, ids=[f"{year}_{vintage}" for year, vintage in SETS])
def tables(request):
    return load.load(load.folder(*request.param))


def test_every_benefit_year_is_there():
    assert {year for year, _ in SETS} == set(range(2021, 2027))


def test_latest_is_the_newest_release_of_the_year():
    assert load.folder(2026).name == "2026_alt"
    assert load.folder(2025).name == "2025_alt"
    assert load.folder(2021).name == "2021_diy"


def test_a_year_or_vintage_that_is_not_there_is_a_clear_error():
    with pytest.raises(RiskflowError, match="no CMS tables of benefit year 2027") as error:
        load.folder(2027)
    assert "2026 (alt)" in error.value.hint
    with pytest.raises(RiskflowError, match="vintage third"):
        load.folder(2025, "third")


def test_hierarchies_are_transitively_closed(tables):
    """So the order in which dominant HCCs are applied cannot matter."""
    steps = tables.statements.filter(pl.col("phase") == "hierarchy", pl.col("model") == "adult")
    tops = steps.filter(part="if").select("position", top="variable")
    zeroed = steps.filter(part="then").select("position", low="variable").join(tops, on="position")
    pairs = set(zeroed.select("top", "low").rows())
    assert len(pairs) > 150
    assert {(a, d) for a, b in pairs for c, d in pairs if b == c} <= pairs


def test_every_hcc_is_paid_or_excluded_in_the_adult_and_child_models(tables):
    for model in ("adult", "child"):
        paid = set(tables.coefficients.filter(model=model)["variable"])
        excluded = set(tables.statements.filter(model=model, phase="exclusion")["variable"])
        hccs = set(tables.categories["variable"])
        assert hccs <= paid | excluded
        assert not paid & excluded


def test_infant_severity_lists_leave_out_what_the_infant_model_excludes(tables):
    steps = tables.statements.filter(model="infant")
    listed = steps.filter(phase="severity", part="if")["variable"]
    excluded = steps.filter(phase="exclusion")["variable"]
    assert not set(listed) & set(excluded)


def test_steps_come_in_the_order_of_the_algorithm(tables):
    adult = tables.statements.filter(model="adult")
    first = dict(adult.group_by("phase").agg(pl.col("position").min()).rows())
    last = dict(adult.group_by("phase").agg(pl.col("position").max()).rows())
    assert last["hierarchy"] < first["exclusion"] < first["rxc_hierarchy"] < first["rxc_interaction"]
    assert last["rxc_interaction"] < first["group"]
    assert last["group"] < first["severity"]
    if "count" in first:
        assert last["group"] < first["count"] < first["severity"]
    if "severe_v3" in first:
        assert last["severe_v3"] < first["group"]


def test_year_differences_are_in_the_tables():
    def variables(year, model):
        return set(load.load(load.folder(year)).coefficients.filter(model=model)["variable"])

    assert "INT_GROUP_H" in variables(2022, "adult") - variables(2023, "adult")
    assert "SEVERE_HCC_COUNT1" in variables(2023, "adult") - variables(2022, "adult")
    assert "G24" in variables(2024, "adult") - variables(2023, "adult")
    assert "G07A" in variables(2024, "adult") - variables(2025, "adult")
    assert "ACF_PrEP" in variables(2026, "adult") - variables(2025, "adult")
    assert "G24" not in variables(2026, "child")


def test_the_hcc_count_leaves_out_022(tables):
    adult = tables.statements.filter(model="adult", phase="count", part="sum")["variable"].to_list()
    if tables.benefit_year >= 2023:
        assert "HHS_HCC021" in adult
        assert "G01" in adult
    assert "HHS_HCC022" not in adult


def test_validity_follows_the_fiscal_years():
    """C833A is an ICD-10-CM code of FY2025, G20 was one until FY2023, G35 until FY2025."""

    def validity(year, vintage, code):
        codes = load.load(load.folder(year, vintage)).codes
        return codes.filter(code=code).select("valid_from", "valid_to").rows()

    assert validity(2024, "alt", "C833A") == [(date(2024, 10, 1), date(2024, 12, 31))]
    assert validity(2025, "alt", "C833A") == [(date(2025, 1, 1), date(2025, 12, 31))]
    assert validity(2023, "diy", "G20") == [(date(2023, 1, 1), date(2023, 9, 30))]
    assert validity(2024, "diy", "G20") == [(None, None)]
    assert validity(2024, "alt", "G20") == []
    assert validity(2025, "alt", "G35") == [(date(2025, 1, 1), date(2025, 9, 30))]
    assert validity(2026, "alt", "G35") == []


def test_age_splits_of_a_code_do_not_overlap_for_one_hcc(tables):
    both = tables.categories.join(tables.categories, on=["code", "variable"], suffix="_2")
    other = (pl.col("age_low") != pl.col("age_low_2")) | pl.col("sex").ne_missing(pl.col("sex_2"))
    overlap = (pl.col("age_low") <= pl.col("age_high_2")) & (pl.col("age_low_2") <= pl.col("age_high"))
    same_sex = pl.col("sex").eq_missing(pl.col("sex_2"))
    assert both.filter(other & overlap & same_sex).is_empty()


def test_a_set_without_a_table_is_a_clear_error(tmp_path):
    broken = tmp_path / "2025_alt"
    shutil.copytree(load.folder(2025), broken)
    (broken / "drugs.parquet").unlink()
    with pytest.raises(RiskflowError, match=r"members_drugs is not there"):
        load.load(broken)


@pytest.mark.parametrize(
    ("table", "keep", "message"),
    [
        ("drugs", pl.col("variable") != "RXC_09", "nothing sets RXC_09"),
        ("statements", pl.col("phase") != "group", "nothing sets G01"),
        ("coefficients", pl.col("metal") != "gold", "coefficients are missing"),
        ("coefficients", pl.col("model") != "infant", "infant model are partial: coefficients are missing"),
        ("labels", pl.lit(False), "table labels of the CMS set 2025 alt is empty"),
    ],
)
def test_a_partial_table_is_a_clear_error(tmp_path, table, keep, message):
    broken = tmp_path / "2025_alt"
    shutil.copytree(load.folder(2025), broken)
    contract = TABLES[table]
    frame = artifacts.read(broken / f"{table}.parquet", contract).filter(keep)
    artifacts.write(frame, broken / f"{table}.parquet", contract)
    with pytest.raises(RiskflowError, match=message):
        load.load(broken)


def test_tables_of_another_year_in_the_folder_are_an_error(tmp_path):
    broken = tmp_path / "2025_alt"
    shutil.copytree(load.folder(2025), broken)
    shutil.copy(load.folder(2024) / "codes.parquet", broken / "codes.parquet")
    with pytest.raises(RiskflowError, match="table codes of the CMS set 2025 alt"):
        load.load(broken)


def test_a_further_set_needs_only_files(tmp_path):
    """A 2027 set: the folder of 2026 under another year, with other coefficients; no code changes."""
    about = json.loads((load.folder(2026) / "set.json").read_text())
    folder = tmp_path / "2027_first"
    folder.mkdir()
    for name, contract in TABLES.items():
        frame = artifacts.read(load.folder(2026) / f"{name}.parquet", contract)
        keys = {"benefit_year": pl.lit(2027, pl.Int16), "vintage": pl.lit("first")}
        artifacts.write(frame.with_columns(**keys), folder / f"{name}.parquet", contract)
    (folder / "set.json").write_text(json.dumps(about | {"benefit_year": 2027, "vintage": "first"}))
    found = load.load(load.folder(2027, root=tmp_path))
    assert (found.benefit_year, found.vintage) == (2027, "first")


class TestLanguage:
    def test_a_group_takes_the_place_of_its_hcc(self):
        found = language.statement("if HHS_HCC019 = 1 then do; HHS_HCC019 = 0; G01 = 1; end;", "group")
        assert found.clauses == ((language.Atom("HHS_HCC019", 1, 1),),)
        assert found.sets == (("HHS_HCC019", 0), ("G01", 1))

    def test_parentheses_join_by_or_inside_and(self):
        found = language.condition("A = 1 and (B = 1 or C = 1) and (D = 0 and E >= 10)")
        assert [[a.variable for a in clause] for clause in found] == [["A"], ["B", "C"], ["D"], ["E"]]
        assert found[3] == (language.Atom("E", 10, 255),)

    def test_or_binds_tighter_in_the_child_count_of_six_or_seven(self):
        found = language.condition("SEVERE = 1 and HCC_CNT = 6 or HCC_CNT = 7")
        assert len(found) == 2
        assert {(a.low, a.high) for a in found[1]} == {(6, 6), (7, 7)}

    def test_a_sum_names_what_it_adds(self):
        known = frozenset({"HHS_HCC001", "HHS_HCC022", "G01", "RXC_01"})
        found = language.statement("HCC_CNT = SUM(HHS_HCC*, G*) - HHS_HCC022", "count", known)
        assert found.summands == ("G01", "HHS_HCC001")

    @pytest.mark.parametrize(
        ("text", "low", "high"),
        [
            ("21 <= AGE_LAST", 21, 255),
            ("2 <= AGE_LAST <= 20", 2, 20),
            ("AGE_LAST = 0", 0, 0),
            ("A < 2", 0, 1),
        ],
    )
    def test_ranges(self, text, low, high):
        found = language.atom(text)
        assert (found.low, found.high) == (low, high)

    @pytest.mark.parametrize("text", ["A = B", "set X = 1", "if A = 1 then stop"])
    def test_other_text_is_an_error_without_the_text(self, text):
        with pytest.raises(RiskflowError) as error:
            language.statement(text, "group") if "then" in text else language.atom(text)
        assert text not in str(error.value)


@pytest.mark.parametrize(
    ("number", "name"),
    [("20.0", "HHS_HCC020"), ("35.1", "HHS_HCC035_1"), ("35_1", "HHS_HCC035_1"), ("161.2", "HHS_HCC161_2")],
)
def test_hcc_numbers_keep_their_zeros_and_parts(number, name):
    assert raw.hcc(number) == name


@pytest.mark.parametrize(
    ("text", "bounds"),
    [(None, (0, 255)), ("age >=15", (15, 255)), ("6 <= age <= 18", (6, 18)), ("age < 2", (0, 1))],
)
def test_age_conditions_of_table_3(text, bounds):
    assert ages(text) == bounds


class TestAgainstTheRawFiles:
    """These read the public CMS files beside the repository, and skip where they are not."""

    def test_the_importer_writes_the_committed_bytes(self, tmp_path):
        source = shared_data("hhs_hcc")
        with artifacts.ledger("the provenance of some run"):
            receipt = importer.run(source=source, output=tmp_path)
        assert receipt.counts["sets"] == len(SETS)
        built = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.glob("*/*.*")}
        kept = {path.relative_to(load.PACKAGED): path.read_bytes() for path in load.PACKAGED.glob("*/*.*")}
        assert built.keys() == kept.keys()
        assert [str(path) for path in built if built[path] != kept[path]] == []

    @pytest.mark.parametrize("year", range(2021, 2026))
    def test_coefficients_are_those_of_table_9(self, year):
        table = pl.read_parquet(shared_data("hhs_hcc") / f"{year}/diy/table_9.parquet")
        ours = load.load(load.folder(year, "diy")).coefficients
        found = {
            (m, v, metal): c
            for m, v, metal, c in ours.select("model", "variable", "metal", "coefficient").rows()
        }
        assert len(found) == table.height * 5
        for row in table.iter_rows(named=True):
            for metal in ("platinum", "gold", "silver", "bronze", "catastrophic"):
                name = row["variable"].upper()
                assert found[row["model"].lower(), name, metal] == float(row[f"{metal}_level"])

    @pytest.mark.parametrize("year", range(2021, 2026))
    def test_codes_and_ccs_are_those_of_table_3(self, year):
        table = pl.read_parquet(shared_data("hhs_hcc") / f"{year}/diy/table_3.parquet")
        ours = load.load(load.folder(year, "diy"))
        assert set(ours.codes["code"]) == set(table["icd10"])
        pairs = {
            (row["icd10"], float(row[name].replace("_", ".")))
            for row in table.iter_rows(named=True)
            for name in ("cc", "second_cc", "third_cc")
            if row[name]
        }
        mine = {
            (code, float(name.removeprefix("HHS_HCC").replace("_", ".")))
            for code, name in ours.categories.select("code", "variable").rows()
        }
        assert mine == pairs

    def test_a_missing_raw_file_is_named(self, tmp_path):
        shutil.copytree(shared_data("hhs_hcc") / "2021", tmp_path / "2021")
        (tmp_path / "2021/diy/table_8.json").chmod(0o644)
        (tmp_path / "2021/diy").chmod(0o755)
        (tmp_path / "2021/diy/table_8.json").unlink()
        spec = json.loads(importer.SOURCES.read_text())["sets"][0]
        with pytest.raises(RiskflowError, match=r"2021/diy/table_8\.json"):
            importer.build(tmp_path, spec)


def test_the_packaged_tables_stay_small():
    assert sum(path.stat().st_size for path in load.PACKAGED.rglob("*")) < 3_000_000


def test_models_are_those_of_the_contract(tables):
    assert set(tables.ages["model"]) == set(MODELS)
    assert tables.durations.height == 12
