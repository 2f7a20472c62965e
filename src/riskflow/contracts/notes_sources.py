"""Contracts of the notes track's sources: what ingest writes. They hold identifiers and are never published."""

from __future__ import annotations

import polars as pl

from riskflow.contracts.base import Check, Column, Contract, column, in_range, not_empty

_TEXT = pl.String
_TEXTS = pl.List(pl.String)
_MOMENT = pl.Datetime("us", "UTC")


def _text(description: str) -> Column:
    return column(_TEXT, description, nullable=True)


def _texts(description: str) -> Column:
    return column(_TEXTS, description, nullable=True)


def _id(description: str) -> Column:
    return column(_TEXT, description, not_empty())


def _year_possible() -> Check:
    return Check(
        "year_possible", "lies in the years 1850 to 2100", lambda c: c.dt.year().is_between(1850, 2100)
    )


SOURCE_PATIENTS = Contract(
    name="notes_source_patients",
    version=1,
    title="One row per patient as read, with identifiers",
    key=("patient_id",),
    columns={
        "patient_id": _id("Medical record number (MRN), the patient's key"),
        "identifiers": _texts("Other identifiers: SSN, licences, plan and account numbers"),
        "family_name": _text("Family name"),
        "given_names": _texts("Given names in order"),
        "name_prefix": _texts("Prefixes: Mr., Dr."),
        "name_suffix": _texts("Suffixes: Jr., III, MD"),
        "date_of_birth": column(pl.Date, "Day of birth", _year_possible(), nullable=True),
        "gender": _text("Gender as coded"),
        "deceased": column(pl.Boolean, "Whether the patient has died", nullable=True),
        "deceased_date": column(pl.Date, "Day of death", _year_possible(), nullable=True),
        "marital_status": _text("Marital status as coded"),
        "address_lines": _texts("Street lines of the home address"),
        "city": _text("City"),
        "state": _text("State or territory"),
        "postal_code": _text("ZIP code"),
        "country": _text("Country"),
        "phone": _text("Telephone number"),
        "email": _text("E-mail address"),
        "fax": _text("Fax number"),
        "contact_name": _text("Emergency contact: name"),
        "contact_relationship": _text("Emergency contact: relationship to the patient"),
        "contact_phone": _text("Emergency contact: telephone number"),
        "language": _text("Preferred language"),
        "managing_organization": _text("Organization that keeps the record"),
    },
)

SOURCE_ENCOUNTERS = Contract(
    name="notes_source_encounters",
    version=1,
    title="One row per encounter as read, with identifiers",
    key=("encounter_id",),
    columns={
        "encounter_id": _id("Key of the encounter"),
        "patient_id": _id("The patient (patients.patient_id)"),
        "status": _text("Status as coded"),
        "class_code": _text("Class: AMB, EMER, IMP …"),
        "type": _text("Type of encounter"),
        "service_type": _text("Service"),
        "priority": _text("Priority"),
        "period_start": column(_MOMENT, "Begin (UTC)", _year_possible(), nullable=True),
        "period_end": column(_MOMENT, "End (UTC)", _year_possible(), nullable=True),
        "length_minutes": column(pl.Int64, "Length in minutes", in_range(0, 60 * 24 * 3660), nullable=True),
        "reason_code": _text("Reason"),
        "diagnosis_codes": _texts("Diagnosis codes"),
        "facility_name": _text("Name of the facility"),
        "location_address": _text("Address of the facility"),
        "participant_name": _text("Name of the clinician"),
        "participant_role": _text("Role of the clinician"),
        "service_provider": _text("Organization that gave the service"),
    },
)

SOURCE_OBSERVATIONS = Contract(
    name="notes_source_observations",
    version=1,
    title="One row per observation as read, with its note in clear text",
    key=("observation_id",),
    columns={
        "observation_id": _id("Key of the observation"),
        "patient_id": _id("The patient (patients.patient_id)"),
        "encounter_id": _text("The encounter (encounters.encounter_id), or null where there was none"),
        "status": _text("Status as coded"),
        "category": _text("Category: vital-signs, laboratory, document …"),
        "code": _text("Code, for example LOINC"),
        "effective_date": column(_MOMENT, "When observed (UTC)", _year_possible(), nullable=True),
        "issued": column(_MOMENT, "When released (UTC)", _year_possible(), nullable=True),
        "performer_name": _text("Name of who observed"),
        "value": _text("Value as written, a number or words"),
        "unit": _text("Unit of the value"),
        "interpretation": _text("Interpretation: high, low, normal …"),
        "body_site": _text("Body site"),
        "method": _text("Method"),
        "device": _text("Device"),
        "reference_range": _text("Reference range"),
        "notes": _text("Free text of the note"),
    },
)

SOURCE_TABLES: dict[str, Contract] = {
    "patients": SOURCE_PATIENTS,
    "encounters": SOURCE_ENCOUNTERS,
    "observations": SOURCE_OBSERVATIONS,
}
"""Table → contract, in the order in which they must be written: later ones refer to earlier ones."""
