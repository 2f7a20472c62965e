"""Contracts of what enters the members track: raw demo tables, and validated spans, diagnoses and drugs."""

import polars as pl

from riskflow.contracts.base import (
    Contract,
    FrameCheck,
    at_least,
    column,
    finite,
    in_range,
    matches,
    not_empty,
    one_of,
)

METALS = ("platinum", "gold", "silver", "bronze", "catastrophic")
SEXES = ("M", "F")
# A letter, then two characters of which one is a digit (E11, C7A, QA0 of FY 2026), then up to four more.
ICD_10 = r"^[A-Z](?:[0-9][0-9A-Z]|[A-Z][0-9])[0-9A-Z]{0,4}$"

RAW_SPANS = Contract(
    name="members_raw_spans",
    version=1,
    title="Enrolment rows as a source gives them, faults included",
    key=(),
    columns={
        "span_id": column(pl.String, "Span id of the source", nullable=True),
        "member_id": column(pl.String, "Member id of the source", nullable=True),
        "family_id": column(pl.String, "Household or subscriber id", nullable=True),
        "sex": column(pl.String, "Sex as written", nullable=True),
        "date_of_birth": column(pl.Date, "Date of birth", nullable=True),
        "plan_id": column(pl.String, "HIOS plan id (14 characters)", nullable=True),
        "issuer": column(pl.String, "HIOS issuer id (5 digits)", nullable=True),
        "market": column(pl.String, "individual, small_group or merged", nullable=True),
        "state": column(pl.String, "Two-letter state", nullable=True),
        "rating_area": column(pl.Int64, "Rating area number in the state", nullable=True),
        "metal": column(pl.String, "Metal level as written", nullable=True),
        "csr_indicator": column(pl.Int64, "EDGE cost-sharing reduction indicator", nullable=True),
        "enrolment_start": column(pl.Date, "First day of enrolment", nullable=True),
        "enrolment_end": column(pl.Date, "Last day of enrolment", nullable=True),
        "premium": column(pl.Float64, "Premium of the member, dollars a month", nullable=True),
    },
)

RAW_DIAGNOSES = Contract(
    name="members_raw_diagnoses",
    version=1,
    title="Diagnosis rows as a source gives them",
    key=(),
    columns={
        "member_id": column(pl.String, "Member id of the source", nullable=True),
        "code": column(pl.String, "ICD-10-CM code as written", nullable=True),
        "service_date": column(pl.Date, "Date of service", nullable=True),
    },
)

RAW_DRUGS = Contract(
    name="members_raw_drugs",
    version=1,
    title="Drug rows as a source gives them",
    key=(),
    columns={
        "member_id": column(pl.String, "Member id of the source", nullable=True),
        "ndc": column(pl.String, "National Drug Code as written", nullable=True),
        "hcpcs": column(pl.String, "HCPCS code as written", nullable=True),
        "service_date": column(pl.Date, "Fill or service date", nullable=True),
    },
)

SPANS = Contract(
    name="members_spans",
    version=1,
    title="One row per member and plan span, within the benefit year",
    key=("member_id", "span_id"),
    columns={
        "member_id": column(pl.String, "Member id", not_empty()),
        "span_id": column(pl.String, "Span id, unique within the member", not_empty()),
        "family_id": column(
            pl.String, "Household or subscriber id; the member's own id if the source has none", not_empty()
        ),
        "sex": column(pl.String, "M or F", one_of(SEXES)),
        "date_of_birth": column(pl.Date, "Date of birth"),
        "plan_id": column(pl.String, "HIOS plan id (14 characters)", not_empty()),
        "issuer": column(pl.String, "HIOS issuer id", not_empty()),
        "market": column(pl.String, "Risk pool market", one_of(("individual", "small_group", "merged"))),
        "state": column(pl.String, "Two-letter state, or empty when the source has none"),
        "rating_area": column(pl.Int64, "Rating area number in the state", at_least(0), nullable=True),
        "metal": column(pl.String, "Metal level", one_of(METALS)),
        "csr_indicator": column(
            pl.Int64, "EDGE cost-sharing reduction indicator of the benefit year", in_range(0, 13)
        ),
        "enrolment_start": column(pl.Date, "First day of enrolment in the benefit year"),
        "enrolment_end": column(pl.Date, "Last day of enrolment in the benefit year"),
        "premium": column(
            pl.Float64, "Premium of the member, dollars a month", finite(), at_least(0), nullable=True
        ),
    },
    checks=(
        FrameCheck(
            "start_before_end",
            "enrolment_start is not after enrolment_end",
            pl.col("enrolment_start") <= pl.col("enrolment_end"),
        ),
        FrameCheck(
            "born_by_the_end",
            "date_of_birth is not after enrolment_end",
            pl.col("date_of_birth") <= pl.col("enrolment_end"),
        ),
    ),
)

DIAGNOSES = Contract(
    name="members_diagnoses",
    version=1,
    title="One row per member, diagnosis code, service date and claim fields",
    key=("member_id", "diagnosis_id"),
    columns={
        "member_id": column(pl.String, "Member id", not_empty()),
        "diagnosis_id": column(
            pl.Int32, "Number of the row within the member, by date and code", at_least(1)
        ),
        "code": column(
            pl.String,
            "ICD-10-CM code, upper case, no dot",
            matches(ICD_10, "is an ICD-10-CM code without a dot"),
        ),
        "service_date": column(pl.Date, "Date of service"),
        "bill_type": column(pl.String, "UB-04 type of bill", nullable=True),
        "procedure": column(pl.String, "CPT or HCPCS code of the claim line", nullable=True),
        "claim_kind": column(pl.String, "inpatient, outpatient or professional", nullable=True),
    },
)

DRUGS = Contract(
    name="members_drugs",
    version=1,
    title="One row per member, drug code and date",
    key=("member_id", "drug_id"),
    columns={
        "member_id": column(pl.String, "Member id", not_empty()),
        "drug_id": column(pl.Int32, "Number of the row within the member, by date and code", at_least(1)),
        "ndc": column(
            pl.String,
            "NDC, 11 digits (5-4-2), the sixth a letter in a few",
            matches(r"^\d{5}[0-9A-Z]\d{5}$", "is an NDC of 11 digits"),
            nullable=True,
        ),
        "hcpcs": column(
            pl.String,
            "HCPCS Level II or CPT code",
            matches(r"^[A-Z0-9]{5}$", "is a HCPCS code of five characters"),
            nullable=True,
        ),
        "service_date": column(pl.Date, "Fill or service date"),
    },
    checks=(
        FrameCheck(
            "some_code",
            "has an NDC or a HCPCS code",
            pl.col("ndc").is_not_null() | pl.col("hcpcs").is_not_null(),
        ),
    ),
)
