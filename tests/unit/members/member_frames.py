"""Small frames for the members tests."""

from datetime import date

import polars as pl

SPANS = {
    "member_id": pl.String,
    "span_id": pl.String,
    "sex": pl.String,
    "date_of_birth": pl.Date,
    "metal": pl.String,
    "csr_indicator": pl.Int64,
    "plan_id": pl.String,
    "issuer": pl.String,
    "market": pl.String,
    "state": pl.String,
    "rating_area": pl.Int64,
    "enrolment_start": pl.Date,
    "enrolment_end": pl.Date,
}
DIAGNOSES = {"member_id": pl.String, "diagnosis_id": pl.Int32, "code": pl.String, "service_date": pl.Date}
DRUGS = {
    "member_id": pl.String,
    "drug_id": pl.Int32,
    "ndc": pl.String,
    "hcpcs": pl.String,
    "service_date": pl.Date,
}


def person(
    sex, born, year=2025, metal="silver", csr=1, first=None, last=None, diagnoses=(), drugs=(), day=None
):
    """A member in the literal scorer's form; diagnoses are codes (on `day`, else 1 June) or (code, date)."""
    day = day or date(year, 6, 1)
    return {
        "sex": sex,
        "born": born,
        "spans": [("1", metal, csr, first or date(year, 1, 1), last or date(year, 12, 31))],
        "diagnoses": [one if isinstance(one, tuple) else (one, day) for one in diagnoses],
        "drugs": list(drugs),
    }


def frames(people):
    """Return spans, diagnoses and drugs of {member id: person}."""
    spans, diagnoses, drugs = [], [], []
    for name, one in people.items():
        for span, metal, csr, first, last in one["spans"]:
            row = (name, span, one["sex"], one["born"], metal, csr, "P1", "11111", "individual", "TX", 1)
            spans.append((*row, first, last))
        diagnoses += [(name, n, code, day) for n, (code, day) in enumerate(one["diagnoses"], 1)]
        for n, code in enumerate(one["drugs"], 1):
            ndc = len(code) == 11
            drugs.append((name, n, code if ndc else None, None if ndc else code, None))
    return (
        pl.DataFrame(spans, schema=SPANS, orient="row"),
        pl.DataFrame(diagnoses, schema=DIAGNOSES, orient="row"),
        pl.DataFrame(drugs, schema=DRUGS, orient="row"),
    )
