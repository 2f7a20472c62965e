"""Which claims risk adjustment accepts diagnoses from.

Sources: DIY software instructions, diagnosis filtering: inpatient facility claims by type of bill; outpatient
facility claims by type of bill and an eligible CPT/HCPCS code; professional claims by an eligible code. Types of
bill: HHS guidance portal, Risk Adjustment (RA) FAQ 121 (13 August 2020), which lists 111, 117, 131, 137, 711, 717,
761, 767, 771, 777, 851 and 857; its FAQ 276 (EDGE exclusion reasons R01 and R03) says that the eligible code is
asked of professional and outpatient claims, not of inpatient ones. The list of codes (DIY Table 2) holds CPT codes,
which are AMA copyright: the user supplies it as a file. Without it, claims are filtered by kind and type of bill
only, and the receipt says so.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from riskflow.errors import RiskflowError

INPATIENT_BILLS = ("111", "117")
OUTPATIENT_BILLS = ("131", "137", "711", "717", "761", "767", "771", "777", "851", "857")
CLAIM_FIELDS = ("claim_kind", "bill_type", "procedure")


def with_eligibility(diagnoses: pl.DataFrame, codes: pl.Series | None) -> pl.DataFrame:
    """Return the diagnoses with a column `eligible`; a diagnosis without claim_kind counts.

    diagnoses: optional claim_kind (inpatient, outpatient, professional), bill_type (UB-04, with or without
    leading zero; null: not known, accepted), procedure. `codes`: the eligible CPT/HCPCS codes, or None.
    """
    if "claim_kind" not in diagnoses.columns:
        return diagnoses
    bill = pl.col("bill_type").str.strip_chars_start("0").str.slice(0, 3)
    coded = pl.col("procedure").is_in(codes.implode()).fill_null(False) if codes is not None else pl.lit(True)
    accepted = (
        pl.when(pl.col("claim_kind") == "inpatient")
        .then(bill.is_in(INPATIENT_BILLS).fill_null(True))
        .when(pl.col("claim_kind") == "outpatient")
        .then(bill.is_in(OUTPATIENT_BILLS).fill_null(True) & coded)
        .when(pl.col("claim_kind") == "professional")
        .then(coded)
        .otherwise(pl.lit(True))
    )
    return diagnoses.with_columns(accepted.alias("eligible"))


def eligible_codes(path: Path) -> pl.Series:
    """Return the CPT/HCPCS codes of a user's file: one code at the start of each line, anything after it ignored."""
    if not path.is_file():
        raise RiskflowError(
            f"the list of eligible CPT/HCPCS codes is not there: {path}",
            "write its path in members.model.eligible_codes, or leave that empty to go without the list",
        )
    lines = pl.Series("code", path.read_text(encoding="utf-8").splitlines(), dtype=pl.String)
    codes = lines.str.strip_chars().str.to_uppercase().str.extract(r"^([A-Z0-9]{5})\b").drop_nulls()
    if codes.is_empty():
        raise RiskflowError(f"no line of {path} begins with a CPT or HCPCS code of five characters")
    return codes.unique().sort()
