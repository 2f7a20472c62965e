"""Rules for numbers that single out a person: SSN, record, plan, account, licence, vehicle, device, NPI and others."""

from __future__ import annotations

import re
from collections.abc import Callable

from riskflow.notes.redact.checksums import is_dea_number, is_npi, is_possible_ssn, is_vin, passes_luhn
from riskflow.notes.redact.rule import Offsets, Rule, matches

_I = re.IGNORECASE
_NUMBER_WORD = r"(?:\s*(?:number|numbers|num|nos?|id|ident\w*|code|identifier|#))*"
_LINK = r"(?:[\s:=#.-]|\b(?:is|was|of|as|for|no|number|ending|in)\b){0,8}"
_VALUE = (
    r"(?P<phi>(?=[a-z./_-]{0,12}\d)[a-z0-9]+(?:[-./_][a-z0-9]+)*(?:[ ]\d{2,4}(?![\w/%.]|[ -]?(?:y|mg"
    r"|m\b|year|day)))*)"
)
_LAB_BEFORE = re.compile(
    r"(?:count|level|value|result|platelets?|plts?|wbc|rbc|copies|load|titer|cells?|cfu|ferritin|total"
    r"|units?|range|volume"
    r"|score|dose|ddimer|dimer|bnp|ck|cpk|ldh|crp|afp|cea|psa|hcg|ige|rna|dna|pcr|quant\w*|concentration"
    r"|bacteria"
    r"|colony|colonies|neutrophils?|lymphocytes?|leukocytes?|erythrocytes?|anc)\b[^.;\n\d]{0,22}$",
    _I,
)
_LAB_AFTER = re.compile(
    r"\s*(?:/|x\s?10|\*10|cells?|copies|units?|iu|mi?u|mg|mcg|ug|ng|pg|g\b|ml|mm|mmol|umol|meq|u/l|cfu|%"
    r"|k/|per\b|kcal|dollars|cent)",
    _I,
)


_LOOKAHEAD = re.compile(r"\(\?[=!](?:[^()]|\([^()]*\))*\)")
"""What polars' expressions lack: without it a label matches more often, never less."""


def _labelled(label: str) -> Callable[[str], Offsets]:
    return matches(rf"\b(?:{label}){_NUMBER_WORD}{_LINK}{_VALUE}", lambda m: len(m["phi"]) > 2, _I)


def _is_no_measurement(match: re.Match[str]) -> bool:
    """A long number is an identifier unless the words around it say that it was measured."""
    start, end = match.span("phi")
    before, after = match.string[max(0, start - 40) : start], match.string[end : end + 12]
    return _LAB_BEFORE.search(before) is None and _LAB_AFTER.match(after) is None


def _is_spaced_ssn(match: re.Match[str]) -> bool:
    return is_possible_ssn(re.sub(r"\D", "", match[0])) and _is_no_measurement(match)


def _is_mixed_code(match: re.Match[str]) -> bool:
    """Letters and at least five digits in one word, such as an accession code; not a number with its unit."""
    code = match["phi"]
    digits = sum(map(str.isdigit, code))
    return digits >= 5 and digits < sum(map(str.isalnum, code)) and _WITH_UNIT.fullmatch(code) is None


_WITH_UNIT = re.compile(r"[\d.,]+(?:mg|mcg|ml|units?|iu|k|x|cells|copies|kcal|mmol|g|l|s|hz|ms|cc|th)", _I)


def _rule(name: str, kind: str, label: str) -> Rule:
    needs = rf"(?i)\b(?:{_LOOKAHEAD.sub('', label)}){_NUMBER_WORD}{_LINK}[a-z./_-]{{0,13}}\d"
    return Rule(name, kind, needs, _labelled(label), digits=1)


RULES: tuple[Rule, ...] = (
    Rule(
        "ssn.formatted",
        "SSN",
        r"\d{3}[-.]\d{2}[-.]\d{4}",
        matches(r"(?<![\w.-])\d{3}([-.])\d{2}\1\d{4}(?![\w-]|\.\d)"),
        digits=9,
    ),
    Rule(
        "ssn.spaced",
        "SSN",
        r"\d{3}\s?[- ]\s?\d{2}\s?[- ]\s?\d{4}",
        matches(
            r"(?<![\w.,-])(?P<phi>\d{3}\s?[- ]\s?\d{2}\s?[- ]\s?\d{4})(?![\w-]"
            r"|[.,]\d)",
            _is_spaced_ssn,
        ),
        digits=9,
    ),
    Rule(
        "ssn.masked",
        "SSN",
        r"(?i)[x*]{2,3}",
        matches(r"(?<!\w)[x*]{3}[- ]?[x*]{2}[- ]?\d{4}\b", flags=_I),
        digits=4,
    ),
    Rule(
        "ssn.labelled",
        "SSN",
        r"(?i)\b(ssn|ss\s?#|social security|social|soc\.? sec\.?|itin|tin)\b[^\d\n]{0,30}\d{3}\D?\d",
        matches(
            r"\b(?:ssn|ss\s?#|social security|social|soc\.? sec\.?|itin"
            r"|tin)\b[^\d\n]{0,30}?(?P<phi>\d{3}\D?\d{2}\D?\d{4}|\d{4})(?![\d-])",
            flags=_I,
        ),
        digits=4,
    ),
    _rule(
        "mrn.labelled",
        "MRN",
        r"mrns?|m\.r\.n\.|mr\s?#|med(?:ical)?\.?\s+rec(?:ord)?s?|chart(?=\s*(?:#|no|num|id))"
        r"|patient(?=\s*(?:#|no\b|num|id))"
        r"|pt\.?(?=\s*(?:#|no\b|num|id))|hospital(?=\s*(?:#|no\b|num|id))|unit(?=\s*(?:#|no\b|num))"
        r"|record(?=\s*(?:#|no\b|num|id))"
        r"|(?:emr|ehr|epic)(?=\s*(?:#|no\b|num|id))",
    ),
    _rule(
        "plan.labelled",
        "PLAN",
        r"member(?:ship)?(?=\s*(?:#|no\b|num|id|:))|subscriber(?=\s*(?:#|no\b|num|id|:))|policy"
        r"|medicaid(?=\s*(?:#|no\b|num|id|:))"
        r"|medicare(?=\s*(?:#|no\b|num|id|:))|insurance(?=\s*(?:#|no\b|num|id|:))|group(?=\s*(?:#|no\b|num"
        r"|id))|beneficiary"
        r"|(?:health\s+)?plan(?=\s*(?:#|no\b|num|id))|hicn?|mbi|payer(?=\s*(?:#|no\b|num|id))"
        r"|coverage(?=\s*(?:#|no\b|num|id))"
        r"|(?:bcbs|aetna|cigna|humana|united\s?healthcare)(?=\s*(?:#|no\b|num|id))",
    ),
    Rule(
        "plan.mbi",
        "PLAN",
        r"(?i)\b[1-9][a-z][a-z0-9]\d-?[a-z][a-z0-9]\d-?[a-z]{2}\d{2}\b",
        matches(
            r"\b[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d\d\b",
            flags=_I,
        ),
        digits=5,
    ),
    _rule(
        "account.labelled",
        "ACCOUNT",
        r"acc(?:oun)?ts?\.?|a/c|invoice|billing(?=\s*(?:#|no\b|num|id|acc))|claim(?=\s*(?:#|no\b|num|id))"
        r"|che(?:ck|que)(?=\s*(?:#|no\b|num))|routing|iban"
        r"|visa(?=\W|\s*(?:ending|card))|mastercard|amex|(?:credit|debit)\s+card|guarantor(?=\s*(?:#|no\b"
        r"|num|id))",
    ),
    Rule(
        "account.card",
        "ACCOUNT",
        r"\d{4}[ -]?\d{4}[ -]?\d{4}",
        matches(
            r"(?<![\w.-])\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,4}(?![\w-]|\.\d)",
            lambda m: passes_luhn(re.sub(r"\D", "", m[0])),
        ),
        digits=12,
    ),
    _rule(
        "license.labelled",
        "LICENSE",
        r"(?:driver'?s?\s+)?licen[sc]e|lic\.?(?=\s*(?:#|no\b|num|:))|certificat(?:e|ion)|dl(?=\s*(?:#|no\b"
        r"|num|:))|passport|dea|(?:medical\s+)?registration(?=\s*(?:#|no\b|num|id))",
    ),
    Rule(
        "license.dea",
        "LICENSE",
        r"\b[A-Za-z][A-Za-z9]\d{7}\b",
        matches(r"\b[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}\b", lambda m: is_dea_number(m[0]), _I),
        digits=7,
    ),
    _rule(
        "vehicle.labelled",
        "VEHICLE",
        r"(?:licen[sc]e\s+)?plates?(?!lets)|vin|licen[sc]e\s+tag|(?:vehicle|car)\s+tag|vehicle(?=\s*(?:#"
        r"|no\b|num|id|reg))",
    ),
    Rule(
        "vehicle.plate",
        "VEHICLE",
        r"(?i)\b(plates?|tags?)(\s+(number|no\.?|is|was|reads?))?[\s:#]*([a-z]{1,3}[ -]?\d|\d)",
        matches(
            r"\b(?:plates?|tags?)(?:\s+(?:number|no\.?|is|was|reads?))?[\s:#]*"
            r"(?P<phi>[A-Z]{1,3}[ -]?\d{3,4}[A-Z]?|\d{1,3}[ -]?[A-Z]{2,3}[ -]?\d{0,4})\b",
            lambda m: any(c.isdigit() for c in m["phi"]),
            _I,
        ),
        digits=1,
    ),
    Rule(
        "vehicle.vin",
        "VEHICLE",
        r"(?i)\b[a-z0-9]{17}\b",
        matches(r"\b[A-HJ-NPR-Z0-9]{17}\b", lambda m: is_vin(m[0]), _I),
    ),
    _rule(
        "device.labelled",
        "DEVICE",
        r"serial|s/n|sn(?=\s*[:#])|lot(?=\s*(?:#|no\b|num|of\b|:))(?:\s+of(?:\s+\w+){1,2})?|udi|imei|(?:device|implant|pacemaker|pump|icd|generator|valve|lead"
        r"|stimulator|cgm)(?:\s+(?:serial|model))?(?=\s*(?:#|no\b|num|id\b|serial|identifier))",
    ),
    Rule(
        "device.udi",
        "DEVICE",
        r"\(01\)\s?\d{8}",
        matches(r"\(01\)\s?\d{8,14}(?:\s?\(\d{2}\)\s?[\w-]+)*"),
        digits=10,
    ),
    Rule(
        "npi.labelled",
        "NPI",
        r"(?i)\b(npi|national provider)",
        matches(r"\b(?:npi|national provider identifier)\b[^\d\n]{0,16}(?P<phi>\d{10})(?!\d)", flags=_I),
        digits=10,
    ),
    Rule(
        "npi.bare",
        "NPI",
        r"[12]\d{9}",
        matches(r"(?<![\w.,+-])(?P<phi>[12]\d{9})(?![\w-]|[.,]\d)", lambda m: is_npi(m["phi"])),
        digits=10,
    ),
    Rule(
        "photo.file",
        "PHOTO",
        r"(?i)\.(jpe?g|png|gif|bmp|tiff?|heic|raw|dcm|webp)\b",
        matches(r"(?<![\w/])[\w./\\-]*\w\.(?:jpe?g|png|gif|bmp|tiff?|heic|dcm|webp)\b", flags=_I),
    ),
    _rule(
        "photo.labelled",
        "PHOTO",
        r"(?:photo(?:graph)?s?|pictures?|images?|selfie|img|dsc)(?=\s*(?:#|no\b|num|id\b|file|ref)"
        r"|_)(?:\s+(?:file|ref(?:erence)?))?",
    ),
    Rule(
        "photo.camera",
        "PHOTO",
        r"(?i)(img|dsc|pxl)_?\d{3}",
        matches(r"\b(?:IMG|DSCN?|PXL|DCIM)[_-]?\d{3,}\w*", flags=_I),
        digits=3,
    ),
    _rule(
        "biometric.labelled",
        "BIOMETRIC",
        r"(?:finger|voice|palm|thumb|face)\s?-?prints?(?:\s+(?:template|scan|file|record|hash"
        r"|ref(?:erence)?))?|(?:retinal?|iris|facial|face|palm|vein)\s+"
        r"(?:scan|template|recognition|geometry)(?:\s+(?:template|file|record|hash|ref(?:erence)?))?"
        r"|biometric(?:\s+(?:template|file|record|hash|ref(?:erence)?))?|dna\s+profile",
    ),
    Rule(
        "biometric.file",
        "BIOMETRIC",
        r"(?i)\.(wav|mp3|m4a|wsq|fpt)\b",
        matches(r"(?<![\w/])[\w./\\-]*\w\.(?:wav|mp3|m4a|wsq|fpt)\b", flags=_I),
    ),
    _rule(
        "id.labelled",
        "ID",
        r"accession|specimen(?=\s*(?:#|no\b|num|id|:))|(?:lab\s+)?order(?=\s*(?:#|no\b|num|id))"
        r"|case(?=\s*(?:#|no\b|num|id))|requi?(?:est|sition)(?=\s*(?:#|no\b|num|id))"
        r"|ref(?:erence)?\.?(?=\s*(?:#|no\b|num|id|:))|confirmation|ticket|(?:rx|prescription)(?=\s*(?:#"
        r"|no\b|num|id))|(?:study|subject|trial)(?=\s*(?:#|no\b|num|id\b))"
        r"|(?:badge|employee|student|inmate|military|staff|user|login|client|donor|visa)(?=\s*(?:#|no\b"
        r"|num|id\b))|(?:visit|encounter|admission)(?=\s*(?:#|no\b|num|id\b))|csn|fin(?=\s*[:#])"
        r"|har(?=\s*[:#])"
        r"|barcode|wristband|tracking|docket|\bid(?=\s*[:#]|\s+(?:no\b|num))|identifier|passcode"
        r"|pin(?=\s*(?:#|no\b|num|code|:))|password|ein|tax\s+id",
    ),
    Rule(
        "id.uuid",
        "ID",
        r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-",
        matches(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", flags=_I),
    ),
    Rule(
        "id.digits",
        "ID",
        r"\d{7}",
        matches(r"(?P<phi>\d(?<![\w.,/+-]\d)\d{6,})(?![\w/-]|[.,]\d)", _is_no_measurement),
        digits=7,
    ),
    Rule(
        "id.hyphened_digits",
        "ID",
        r"\d{2,}-\d{2,}",
        matches(
            r"(?<![\w.,/+-])(?P<phi>(?=[\d-]{9,})\d{2,}(?:-\d{2,})+)(?![\w/-]|[.,]\d|\s*(?:mg|ml|mcg"
            r"|units?|%|cells))",
            lambda m: sum(c.isdigit() for c in m["phi"]) >= 8,
        ),
        digits=4,
    ),
    Rule(
        "id.mixed",
        "ID",
        "|".join(
            rf"(?:\d[\w-]*){{{before}}}[A-Za-z][\w-]*(?:\d[\w-]*){{{5 - before}}}" for before in range(6)
        ),
        matches(
            r"(?<![\w./-])"
            r"(?P<phi>(?=[\w-]*[A-Za-z])(?=(?:(?:[^\W\d]|-)*\d){5})[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*)(?![\w/-]"
            r"|\.\d)",
            _is_mixed_code,
        ),
        digits=5,
    ),
)
