"""Contracts of the normalised CMS tables: one set of them per benefit year and vintage.

Source: the "DIY" tables that CMS publishes with the HHS-HCC risk adjustment software (a US government work).
A statement is one step of the algorithm as data: if every clause holds (a clause holds when one of its
variables lies in [low, high]), then the named variables get the named values. Statements run in the order
of `position`, as in the CMS program; so a year's differences are rows, not branches of code.
"""

import polars as pl

from riskflow.contracts.base import Contract, at_least, column, finite, in_range, matches, not_empty, one_of

MODELS = ("adult", "child", "infant")
METALS = ("platinum", "gold", "silver", "bronze", "catastrophic")
PHASES = (
    "hierarchy",
    "exclusion",
    "rxc_hierarchy",
    "rxc_interaction",
    "severe_v3",
    "demographic",
    "group",
    "count",
    "severity",
    "duration",
    "maturity",
    "interaction",
    "acf",
)
PARTS = ("if", "sum", "then")

_YEAR = column(pl.Int16, "Benefit year", in_range(2021, 2100))
_VINTAGE = column(pl.String, "Which of the year's CMS releases", not_empty())
_SET = {"benefit_year": _YEAR, "vintage": _VINTAGE}
_MODEL = column(pl.String, "Model", one_of(MODELS))
_METAL = column(pl.String, "Metal level of the plan", one_of(METALS))
_CODE = column(
    pl.String, "ICD-10-CM code, upper case, no dot", matches(r"^[A-Z0-9]{3,7}$", "is an ICD-10-CM code")
)
_AGE = in_range(0, 255)


def _contract(name: str, title: str, key: tuple[str, ...], columns: dict[str, object]) -> Contract:
    return Contract(
        name=f"members_{name}",
        version=1,
        title=title,
        key=("benefit_year", "vintage", *key),
        columns={**_SET, **columns},  # type: ignore[dict-item]
    )


CODES = _contract(
    "codes",
    "ICD-10-CM codes that map to a payment HCC: when valid, and the MCE age and sex edits (DIY Table 3)",
    ("code",),
    {
        "code": _CODE,
        "valid_from": column(
            pl.Date, "First service date on which the code is valid; null: not in this year", nullable=True
        ),
        "valid_to": column(
            pl.Date, "Last service date on which the code is valid; null: not in this year", nullable=True
        ),
        "mce_age_low": column(pl.Int16, "Lowest age at diagnosis (Medicare Code Editor)", _AGE),
        "mce_age_high": column(pl.Int16, "Highest age at diagnosis (Medicare Code Editor)", _AGE),
        "mce_sex": column(
            pl.String, "Sex that the code needs (MCE); null: either", one_of(("M", "F")), nullable=True
        ),
    },
)
CATEGORIES = _contract(
    "categories",
    "ICD-10-CM code → HHS-HCC, with the age (AGE_LAST) and sex splits of the CCs (DIY Table 3)",
    ("code", "variable", "age_low", "sex"),
    {
        "code": _CODE,
        "variable": column(
            pl.String, "HHS-HCC, for example HHS_HCC035_1", matches("^HHS_HCC", "is an HHS-HCC")
        ),
        "age_low": column(pl.Int16, "Lowest AGE_LAST of the split", _AGE),
        "age_high": column(pl.Int16, "Highest AGE_LAST of the split", _AGE),
        "sex": column(pl.String, "Sex of the split; null: either", one_of(("M", "F")), nullable=True),
    },
)
DRUGS = _contract(
    "drugs",
    "NDC and HCPCS codes → RXC or ACF (DIY Tables 10a, 10b; 2026 ACF list)",
    ("kind", "code", "variable"),
    {
        "kind": column(pl.String, "What the code is", one_of(("ndc", "hcpcs"))),
        "code": column(
            pl.String,
            "NDC of eleven characters (CMS lists a few with a letter), or HCPCS Level II code",
            matches(
                r"^([0-9A-Z]{11}|[A-Z]\d{4})$", "is an NDC of eleven characters or a HCPCS Level II code"
            ),
        ),
        "variable": column(pl.String, "RXC or ACF", matches("^(RXC_|ACF_)", "is an RXC or an ACF")),
    },
)
STATEMENTS = _contract(
    "statements",
    "The algorithm: hierarchies, exclusions, groups, interactions, counts, severity (DIY Tables 4-8, 11, 12)",
    ("model", "position", "part", "clause", "variable", "low"),
    {
        "model": _MODEL,
        "position": column(pl.Int16, "Order of the statement in the model", at_least(0)),
        "phase": column(pl.String, "Step of the algorithm that the statement belongs to", one_of(PHASES)),
        "part": column(pl.String, "if: a condition; sum: a summand; then: what is set", one_of(PARTS)),
        "clause": column(
            pl.Int16, "Clauses of one statement are joined by AND, their rows by OR", at_least(0)
        ),
        "variable": column(pl.String, "Variable tested, summed or set", not_empty()),
        "low": column(pl.Int16, "if: lowest value that holds; then: value that is set", _AGE),
        "high": column(pl.Int16, "if: highest value that holds; then: value that is set", _AGE),
    },
)
COEFFICIENTS = _contract(
    "coefficients",
    "Coefficients by model and metal (DIY Table 9)",
    ("model", "variable", "metal"),
    {
        "model": _MODEL,
        "variable": column(pl.String, "Variable of the risk score formula", not_empty()),
        "metal": _METAL,
        "coefficient": column(pl.Float64, "Coefficient as published, not rounded", finite()),
    },
)
CSR_FACTORS = _contract(
    "csr_factors",
    "CSR indicator and metal → factor; any other pair has factor 1 (DIY Tables 6-8)",
    ("csr_indicator", "metal"),
    {
        "csr_indicator": column(pl.Int16, "CSR indicator of the enrollee", in_range(0, 99)),
        "metal": _METAL,
        "factor": column(pl.Float64, "CSR adjustment factor", in_range(0.5, 3)),
    },
)
CSR_VARIANTS = _contract(
    "csr_variants",
    "HIOS variant and metal → CSR indicator (DIY Table 13; the 2025 renumbering and later)",
    ("hios_variant", "metal"),
    {
        "hios_variant": column(pl.Int16, "Last two digits of the HIOS plan id", in_range(0, 99)),
        "metal": column(pl.String, "Metal level of the plan; null: any", one_of(METALS), nullable=True),
        "csr_indicator": column(pl.Int16, "CSR indicator of the enrollee", in_range(0, 99)),
    },
)
AGES = _contract(
    "ages",
    "AGE_LAST → model (DIY Table 1)",
    ("model",),
    {
        "model": _MODEL,
        "age_low": column(pl.Int16, "Lowest AGE_LAST", _AGE),
        "age_high": column(pl.Int16, "Highest AGE_LAST", _AGE),
    },
)
DURATIONS = _contract(
    "durations",
    "Days enrolled in the year → ENROLDURATION (DIY Table 1)",
    ("months",),
    {
        "months": column(pl.Int16, "ENROLDURATION", in_range(1, 12)),
        "days_low": column(pl.Int16, "Fewest days", in_range(1, 366)),
        "days_high": column(pl.Int16, "Most days", in_range(1, 366)),
    },
)
LABELS = _contract(
    "labels",
    "Labels of HCCs, RXCs and demographic variables (DIY Tables 4, 5, 11)",
    ("variable",),
    {
        "variable": column(pl.String, "Variable", not_empty()),
        "label": column(pl.String, "What CMS calls it", not_empty()),
    },
)

TABLES: dict[str, Contract] = {
    "codes": CODES,
    "categories": CATEGORIES,
    "drugs": DRUGS,
    "statements": STATEMENTS,
    "coefficients": COEFFICIENTS,
    "csr_factors": CSR_FACTORS,
    "csr_variants": CSR_VARIANTS,
    "ages": AGES,
    "durations": DURATIONS,
    "labels": LABELS,
}
