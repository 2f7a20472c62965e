"""Contracts of what the notes track publishes: redacted notes, de-identified tables, audit and the leak gate."""

from __future__ import annotations

import polars as pl

from riskflow.contracts.base import Column, Contract, FrameCheck, column, in_range, matches, not_empty, one_of

KINDS: dict[str, str] = {
    "NAME": "name of a person (45 CFR 164.514(b)(2)(i)(A))",
    "GEO": "geographic subdivision smaller than a state: street, city, county, ZIP code, facility (B)",
    "DATE": "element of a date other than the year (C)",
    "AGE": "age over 89 (C)",
    "PHONE": "telephone number (D)",
    "FAX": "fax number (E)",
    "EMAIL": "e-mail address (F)",
    "SSN": "social security number (G)",
    "MRN": "medical record number (H)",
    "PLAN": "health plan beneficiary number (I)",
    "ACCOUNT": "account number (J)",
    "LICENSE": "certificate or licence number (K)",
    "VEHICLE": "vehicle identifier or licence plate (L)",
    "DEVICE": "device identifier or serial number (M)",
    "URL": "web address (N)",
    "IP": "internet protocol address (O)",
    "BIOMETRIC": "biometric identifier (P)",
    "PHOTO": "full-face photograph or comparable image (Q)",
    "NPI": "National Provider Identifier, another unique number (R)",
    "ID": "any other unique number, characteristic or code (R)",
}
"""Kinds of identifier: the eighteen of the Safe Harbor method, with ages and NPIs told apart."""

PSEUDONYM_LETTERS = "bcdfghjklmnpqrstvwxz"
"""Letters of a pseudonym. No vowel and no digit: none is ever a word, a name, a date or a number."""
PSEUDONYM_LENGTH = 16
STATUSES = ("redacted", "withheld")


def _pseudonym(description: str, nullable: bool = False) -> Column:
    pattern = rf"^[{PSEUDONYM_LETTERS}]{{{PSEUDONYM_LENGTH}}}$"
    is_pseudonym = matches(pattern, "is a keyed pseudonym of 16 consonants, never an identifier")
    return column(pl.String, description, is_pseudonym, nullable=nullable)


def _text(description: str) -> Column:
    return column(pl.String, description, nullable=True)


def _year(description: str) -> Column:
    return column(pl.Int16, description, in_range(1850, 2200), nullable=True)


def _day(description: str) -> Column:
    return column(pl.Int32, description, nullable=True)


_STATUS = one_of(STATUSES)
_ONE_OF_TWO = FrameCheck(
    "redacted_or_withheld",
    "a redacted note has a text and no reason; a withheld one has a reason and no text",
    pl.when(pl.col("status") == "redacted")
    .then(pl.col("note").is_not_null() & pl.col("reason").is_null())
    .otherwise(pl.col("note").is_null() & pl.col("reason").is_not_null()),
)
_ONE_OF_THREE = FrameCheck(
    "redacted_withheld_or_none",
    "a note is redacted with a text, withheld with a reason, or there is none; nothing else passes",
    pl.when(pl.col("note_status") == "redacted")
    .then(pl.col("note").is_not_null() & pl.col("note_reason").is_null())
    .when(pl.col("note_status") == "withheld")
    .then(pl.col("note").is_null() & pl.col("note_reason").is_not_null())
    .otherwise(pl.col("note").is_null() & pl.col("note_reason").is_null()),
)
_NO_OLD_BIRTH = FrameCheck(
    "no_birth_over_89",
    "a patient over 89 has neither year nor day of birth (45 CFR 164.514(b)(2)(i)(C))",
    ~pl.col("over_89") | (pl.col("birth_year").is_null() & pl.col("birth_date").is_null()),
)

REDACTED_NOTES = Contract(
    name="notes_redacted",
    version=1,
    title="One row per note: redacted text, or withheld with a reason",
    key=("observation_id",),
    columns={
        "observation_id": _pseudonym("Pseudonym of the observation"),
        "patient_id": _pseudonym("Pseudonym of the patient"),
        "status": column(pl.String, "redacted or withheld", _STATUS),
        "reason": _text("Why the note is withheld; never quotes it"),
        "note": _text("The redacted text"),
        "spans": column(pl.UInt32, "How many identifiers were replaced"),
        "policy": column(pl.String, "Version of the policy", not_empty()),
        "detectors": column(pl.String, "Versions of the rules and of the model", not_empty()),
    },
    checks=(_ONE_OF_TWO,),
)

AUDIT = Contract(
    name="notes_audit",
    version=1,
    title="One row per replaced identifier: where, what kind, by what; never the text",
    key=("observation_id", "start"),
    columns={
        "observation_id": _pseudonym("Pseudonym of the observation"),
        "start": column(
            pl.UInt32, "First character of the identifier in the source note (code points from 0)"
        ),
        "end": column(pl.UInt32, "Character after its last"),
        "kind": column(pl.String, "Kind of identifier", one_of(KINDS)),
        "source": column(pl.String, "The rule, list or model label that found it", not_empty()),
        "detector": column(pl.String, "Version of the rules or of the model", not_empty()),
        "value_hash": column(
            pl.String, "Keyed hash of the value", matches(r"^[0-9a-f]{32}$", "is a keyed hash")
        ),
    },
)

DEID_PATIENTS = Contract(
    name="notes_patients",
    version=1,
    title="One row per patient without Safe Harbor identifiers",
    key=("patient_id",),
    columns={
        "patient_id": _pseudonym("Pseudonym of the patient"),
        "birth_year": _year("Year of birth; null over 89"),
        "birth_date": column(
            pl.Date, "Shifted day of birth, where dates are shifted; null over 89", nullable=True
        ),
        "over_89": column(pl.Boolean, "Whether the patient was over 89 at the last date of the data"),
        "gender": _text("Gender as coded"),
        "deceased": column(pl.Boolean, "Whether the patient has died", nullable=True),
        "death_year": _year("Year of death"),
        "death_date": column(pl.Date, "Shifted day of death, where dates are shifted", nullable=True),
        "marital_status": _text("Marital status as coded"),
        "zip3": column(
            pl.String,
            "First three digits of the ZIP code; 000 where 20,000 people or fewer live there",
            matches(r"^\d{3}$", "is three digits"),
            nullable=True,
        ),
        "state": _text("State or territory"),
        "country": _text("Country"),
        "language": _text("Preferred language"),
        "organization_id": _pseudonym("Pseudonym of the managing organization", nullable=True),
    },
    checks=(_NO_OLD_BIRTH,),
)

DEID_ENCOUNTERS = Contract(
    name="notes_encounters",
    version=1,
    title="One row per encounter without Safe Harbor identifiers",
    key=("encounter_id",),
    columns={
        "encounter_id": _pseudonym("Pseudonym of the encounter"),
        "patient_id": _pseudonym("Pseudonym of the patient (patients.patient_id)"),
        "status": _text("Status as coded"),
        "class_code": _text("Class as coded"),
        "type": _text("Type of encounter"),
        "service_type": _text("Service"),
        "priority": _text("Priority"),
        "start_year": _year("Year of the begin; of the shifted begin where dates are shifted"),
        "start_date": column(pl.Date, "Shifted begin, where dates are shifted", nullable=True),
        "end_date": column(pl.Date, "Shifted end, where dates are shifted", nullable=True),
        "day": _day("Days since the patient's first encounter or observation"),
        "length_minutes": column(pl.Int64, "Length in minutes", nullable=True),
        "reason_code": _text("Reason"),
        "diagnosis_codes": column(pl.List(pl.String), "Diagnosis codes", nullable=True),
        "participant_role": _text("Role of the clinician"),
        "participant_id": _pseudonym("Pseudonym of the clinician", nullable=True),
        "facility_id": _pseudonym("Pseudonym of the facility", nullable=True),
        "service_provider_id": _pseudonym(
            "Pseudonym of the organization that gave the service", nullable=True
        ),
    },
)

DEID_OBSERVATIONS = Contract(
    name="notes_observations",
    version=1,
    title="One row per observation with its redacted note, without Safe Harbor identifiers",
    key=("observation_id",),
    columns={
        "observation_id": _pseudonym("Pseudonym of the observation"),
        "patient_id": _pseudonym("Pseudonym of the patient (patients.patient_id)"),
        "encounter_id": _pseudonym("Pseudonym of the encounter (encounters.encounter_id)", nullable=True),
        "status": _text("Status as coded"),
        "category": _text("Category"),
        "code": _text("Code, for example LOINC"),
        "effective_year": _year("Year when observed; of the shifted day where dates are shifted"),
        "effective_date": column(
            pl.Date, "Shifted day when observed, where dates are shifted", nullable=True
        ),
        "issued_date": column(pl.Date, "Shifted day when released, where dates are shifted", nullable=True),
        "day": _day("Days since the patient's first encounter or observation"),
        "performer_id": _pseudonym("Pseudonym of who observed", nullable=True),
        "value": _text("Value, words in it redacted"),
        "unit": _text("Unit of the value"),
        "interpretation": _text("Interpretation"),
        "body_site": _text("Body site"),
        "method": _text("Method"),
        "device": _text("Device, identifiers in it redacted"),
        "reference_range": _text("Reference range"),
        "note_status": column(
            pl.String, "redacted, withheld, or null where there was no note", _STATUS, nullable=True
        ),
        "note_reason": _text("Why the note is withheld"),
        "note": _text("The redacted note"),
    },
    checks=(_ONE_OF_THREE,),
)

LEAKS = Contract(
    name="notes_leaks",
    version=1,
    title="What the leak gate found: table, column, record and check; never the text",
    key=("table", "column", "record_id", "check"),
    columns={
        "table": column(pl.String, "Published table", not_empty()),
        "column": column(pl.String, "Column", not_empty()),
        "record_id": column(pl.String, "Pseudonym of the record"),
        "check": column(pl.String, "The check that it fails", not_empty()),
    },
)

PUBLISHED_TABLES: dict[str, Contract] = {
    "patients": DEID_PATIENTS,
    "encounters": DEID_ENCOUNTERS,
    "observations": DEID_OBSERVATIONS,
}
"""Published tables in the order in which they must be loaded: later ones refer to earlier ones."""
