"""Small frames for the tests of redaction: records, notes, and what one call redacts."""

import datetime as dt
from typing import Any

import polars as pl

from riskflow.contracts.base import Contract
from riskflow.contracts.notes_sources import SOURCE_ENCOUNTERS, SOURCE_OBSERVATIONS, SOURCE_PATIENTS
from riskflow.notes.policy import Policy
from riskflow.notes.redact.pipeline import Redacted, redact
from riskflow.notes.redact.record import record_identifiers

KEY = b"0123456789abcdef0123456789abcdef"
OTHER_KEY = b"fedcba9876543210fedcba9876543210"

PATIENT: dict[str, Any] = {
    "patient_id": "MRN-0012345",
    "identifiers": ["999-16-9876", "D1234567"],
    "family_name": "de la Cruz",
    "given_names": ["William", "Xavier"],
    "date_of_birth": dt.date(1950, 3, 4),
    "gender": "male",
    "address_lines": ["568 Olson Landing Apt 2"],
    "city": "Long Beach",
    "state": "CA",
    "postal_code": "90804",
    "country": "US",
    "phone": "(555) 123-4567",
    "email": "wdelacruz@example.com",
    "contact_name": "Rosalind Okonkwo",
    "contact_relationship": "daughter",
    "contact_phone": "555-987-6543",
    "managing_organization": "Lakeview Clinic",
}


def rows(contract: Contract, *values: dict[str, Any]) -> pl.DataFrame:
    """Rows of a contract; what is not given is null."""
    return pl.DataFrame(
        [{name: row.get(name) for name in contract.schema} for row in values], schema=contract.schema
    )


def moment(year: int, month: int, day: int, hour: int = 9) -> dt.datetime:
    return dt.datetime(year, month, day, hour, tzinfo=dt.UTC)


def source(*notes: str, patient: dict[str, Any] | None = None) -> dict[str, pl.DataFrame]:
    """Source tables of one patient with one encounter and an observation per note."""
    person = PATIENT | (patient or {})
    encounter = {
        "encounter_id": "enc-771",
        "patient_id": person["patient_id"],
        "status": "finished",
        "class_code": "AMB",
        "period_start": moment(2020, 6, 1),
        "period_end": moment(2020, 6, 3),
        "participant_name": "Priya Raman",
        "facility_name": "Lakeview Clinic",
        "diagnosis_codes": ["E11.9", "44054006"],
    }
    observations = [
        {
            "observation_id": f"obs-{number}",
            "patient_id": person["patient_id"],
            "encounter_id": "enc-771",
            "status": "final",
            "code": "8302-2",
            "effective_date": moment(2020, 6, 1 + number),
            "value": "170.2",
            "unit": "cm",
            "performer_name": "Priya Raman",
            "notes": note,
        }
        for number, note in enumerate(notes)
    ]
    return {
        "patients": rows(SOURCE_PATIENTS, person),
        "encounters": rows(SOURCE_ENCOUNTERS, encounter),
        "observations": rows(SOURCE_OBSERVATIONS, *observations),
    }


def redacted(*texts: str, policy: Policy | None = None, key: bytes = KEY, **more: Any) -> Redacted:
    """Notes of the one patient, redacted."""
    tables = source(*texts)
    notes = pl.DataFrame(
        {
            "note_id": [f"obs-{n}" for n in range(len(texts))],
            "patient_id": PATIENT["patient_id"],
            "text": list(texts),
        }
    )
    return redact(notes, record_identifiers(*tables.values()), policy or Policy(), key, **more)


def texts_of(outcome: Redacted) -> list[str | None]:
    return outcome.notes["text"].to_list()
