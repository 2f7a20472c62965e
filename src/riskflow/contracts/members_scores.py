"""Contracts of what the HHS-HCC engine makes: one score per member and plan span, and what did not count."""

import polars as pl

from riskflow.contracts.base import (
    Contract,
    FrameCheck,
    at_least,
    column,
    finite,
    in_range,
    not_empty,
    one_of,
)
from riskflow.contracts.members_tables import METALS, MODELS

# Why a diagnosis or a drug does not count, in the order in which the reasons are tested: the first one is told.
REASONS = {
    "claim_not_eligible": "the claim is of a kind, bill type or procedure that risk adjustment does not accept",
    "member_not_enrolled": "the member has no day enrolled in the benefit year",
    "code_without_hcc": "no payment HCC has this ICD-10-CM code in the benefit year",
    "outside_benefit_year": "the service date is missing or not in the benefit year",
    "no_issuer_on_date": "the member has several issuers or markets in the year, and none on the service date",
    "before_birth": "the service date is before the date of birth",
    "age_after_last_age": "the age at diagnosis is above the age on the last day enrolled",
    "age_far_from_last_age": "the age at diagnosis is more than a year below the age on the last day enrolled",
    "code_not_valid_on_date": "the ICD-10-CM code is not valid in the fiscal year of the service date",
    "age_edit": "the age at diagnosis does not fit the code (Medicare Code Editor)",
    "sex_edit": "the sex does not fit the code (Medicare Code Editor)",
    "age_or_sex_split": "the code maps to an HCC only at another age or sex",
    "code_without_rxc": "no RXC or ACF has this NDC or HCPCS code in the benefit year",
}

KIND = pl.Enum(["diagnosis", "drug"])
REASON = pl.Enum(list(REASONS))

SCORES = Contract(
    name="members_scores",
    version=1,
    title="HHS-HCC risk score of each member and plan span",
    key=("member_id", "span_id"),
    columns={
        "member_id": column(pl.String, "Member", not_empty()),
        "span_id": column(pl.String, "Enrolment span in one plan", not_empty()),
        "benefit_year": column(pl.Int16, "Benefit year", in_range(2021, 2100)),
        "vintage": column(pl.String, "Release of the CMS tables", not_empty()),
        "model_version": column(pl.String, "HHS-HCC classification version", not_empty()),
        "model": column(pl.String, "Model, by AGE_LAST", one_of(MODELS)),
        "metal": column(pl.String, "Metal level of the plan", one_of(METALS)),
        "csr_indicator": column(pl.Int64, "CSR indicator; null: unknown, no adjustment", nullable=True),
        "plan_id": column(pl.String, "Plan", nullable=True),
        "issuer": column(pl.String, "Issuer", nullable=True),
        "market": column(pl.String, "Market", nullable=True),
        "state": column(pl.String, "State", nullable=True),
        "rating_area": column(pl.Int64, "Rating area number in the state", nullable=True),
        "sex": column(pl.String, "Sex", one_of(("M", "F"))),
        "age_last": column(pl.Int16, "Age on the last day enrolled in the benefit year", in_range(0, 130)),
        "enrolled_days": column(pl.Int16, "Days of this span in the benefit year", in_range(1, 366)),
        "member_months": column(
            pl.Float64, "Months of this span in the year, parts of a month by days", in_range(0.03, 12)
        ),
        "enrolment_duration": column(
            pl.Int16, "ENROLDURATION over all spans in the issuer and market", in_range(1, 12)
        ),
        "raw_score": column(pl.Float64, "Sum of the coefficients, not rounded", finite()),
        "csr_factor": column(pl.Float64, "CSR adjustment factor", in_range(0.5, 3)),
        "csr_adjusted_score": column(pl.Float64, "Raw score times CSR factor", finite()),
        "variables": column(pl.List(pl.String), "Variables of the score that are set, by name"),
        "coefficients": column(pl.List(pl.Float64), "Their coefficients, in the same order"),
    },
    checks=(
        FrameCheck(
            "one_coefficient_per_variable",
            "every variable has its coefficient",
            pl.col("variables").list.len() == pl.col("coefficients").list.len(),
        ),
        FrameCheck(
            "adjusted_is_raw_times_factor",
            "the adjusted score is the raw score times the CSR factor",
            (pl.col("csr_adjusted_score") - pl.col("raw_score") * pl.col("csr_factor")).abs() < 1e-9,
        ),
    ),
)

REJECTED = Contract(
    name="members_rejected",
    version=2,
    title="Diagnoses and drugs that do not count, each with its reason",
    key=("kind", "member_id", "row_id"),
    columns={
        "kind": column(KIND, "Table of the row"),
        "member_id": column(pl.String, "Member", not_empty()),
        "row_id": column(pl.Int64, "diagnosis_id or drug_id of the row", at_least(0)),
        "code": column(pl.String, "ICD-10-CM, NDC or HCPCS code", nullable=True),
        "reason": column(REASON, "Why it does not count"),
    },
)
