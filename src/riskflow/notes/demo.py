"""Demo patients: full records and varied notes in which every identifier's kind and place is known.

Deterministic by seed, patient by patient: the first hundred patients of a demo of ten thousand are those of a demo
of a hundred with as many observations each. Names, places and sentence frames are of the evaluation half, so that
what is measured on the demo is about notes that the model never saw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from riskflow.notes.templates import identifiers
from riskflow.notes.templates.compose import Cast, Composer, Person
from riskflow.notes.templates.markup import Labelled, labelled

OBSERVATIONS_PER_PATIENT = 3.0061
"""Observations per patient of the benchmark: 30,061 of 10,000."""

_LAST_DAY = date(2024, 9, 15)
_CODES = (
    ("8302-2", "vital-signs"),
    ("34109-9", "document"),
    ("11506-3", "document"),
    ("11488-4", "document"),
    ("4548-4", "laboratory"),
)
_CLASSES = ("AMB", "AMB", "AMB", "EMER", "IMP", "VR")
_RELATIONSHIPS = ("daughter", "son", "wife", "husband", "mother", "father", "sister", "brother", "friend")


@dataclass(frozen=True)
class DemoRecord:
    """One patient as source records write it, and the labelled note of each observation by its id."""

    record: dict[str, Any]
    notes: dict[str, Labelled]


def demo_records(patients: int, seed: int, observations: int | None = None) -> Iterator[DemoRecord]:
    """Yield `patients` records with `observations` in all, spread evenly (about three each where not given)."""
    total = round(patients * OBSERVATIONS_PER_PATIENT) if observations is None else observations
    for number in range(patients):
        yield demo_record(number, seed, (number + 1) * total // patients - number * total // patients)


def demo_record(number: int, seed: int, observations: int) -> DemoRecord:
    """Return one patient's record with a number of observations."""
    composer = Composer("evaluation", seed * 1_000_003 + number)
    person, relative = composer.person(), composer.person()
    patient = _patient(composer, number, person, relative)
    clinicians = tuple(composer.person() for _ in range(3))
    encounters = [
        _encounter(composer, patient, clinicians, place) for place in range(max(1, (observations + 1) // 2))
    ]
    rows, notes = [], {}
    for place in range(observations):
        encounter = encounters[place // 2]
        day = date.fromisoformat(encounter["period_start"][:10])
        cast = Cast(person, day, _values(patient, encounter), (relative, composer.person()), clinicians)
        note = labelled(composer.note(cast, composer.draw.randrange(3, 9)))
        row = _observation(composer, encounter, clinicians[0], place, note.text)
        rows.append(row)
        notes[row["observation_id"]] = note
    return DemoRecord({"patient": patient, "encounters": encounters, "observations": rows}, notes)


def _patient(composer: Composer, number: int, person: Person, relative: Person) -> dict[str, Any]:
    draw, city = composer.draw, composer.city()
    born = _LAST_DAY - timedelta(days=draw.randrange(30, 36_000))
    died = draw.random() < 0.04
    user = "".join(
        c for c in f"{person.first}.{person.last}".lower() if c.isascii() and (c.isalnum() or c == ".")
    )
    return {
        "patient_id": f"{10_000_000 + number}",
        "identifiers": [identifiers.ssn(draw), identifiers.coded("A9999999", draw)],
        "family_name": person.last,
        "given_names": [person.first, person.middle],
        "name_prefix": [draw.choice(["Ms.", "Mrs."] if person.female else ["Mr."])],
        "name_suffix": ["Jr."] if draw.random() < 0.03 else [],
        "date_of_birth": born.isoformat(),
        "gender": "female" if person.female else "male",
        "deceased": died,
        "deceased_date": _LAST_DAY.isoformat() if died else None,
        "marital_status": draw.choice(["S", "M", "D", "W"]),
        "address_lines": [composer.street()],
        "city": city.name,
        "state": city.state,
        "postal_code": f"{city.zip3}{draw.randrange(1, 100):02}",
        "country": "US",
        "phone": identifiers.phone_digits(draw),
        "email": f"{user}{number}@example.org",
        "fax": identifiers.phone_digits(draw) if draw.random() < 0.2 else None,
        "contact_name": f"{relative.first} {relative.last}",
        "contact_relationship": draw.choice(_RELATIONSHIPS),
        "contact_phone": identifiers.phone_digits(draw),
        "language": draw.choice(["en", "en", "en", "es", "zh", "vi"]),
        "managing_organization": composer.facility(),
    }


def _encounter(
    composer: Composer, patient: dict[str, Any], clinicians: tuple[Person, ...], place: int
) -> dict[str, Any]:
    draw = composer.draw
    begin = datetime(2019, 1, 1) + timedelta(minutes=draw.randrange(5 * 365 * 24 * 60))
    minutes = draw.choice([15, 20, 30, 45, 60, 240, 1440])
    doctor, city = draw.choice(clinicians), composer.city()
    return {
        "encounter_id": f"E{patient['patient_id']}-{place + 1}",
        "patient_id": patient["patient_id"],
        "status": "finished",
        "class_code": draw.choice(_CLASSES),
        "type": draw.choice(["Office visit", "Emergency visit", "Telephone encounter", "Inpatient stay"]),
        "service_type": draw.choice(["cardiology", "family medicine", "surgery", "neurology"]),
        "priority": draw.choice(["routine", "urgent", None]),
        "period_start": f"{begin.isoformat()}Z",
        "period_end": f"{(begin + timedelta(minutes=minutes)).isoformat()}Z",
        "length_minutes": minutes,
        "reason_code": draw.choice(composer.words.lexicon["problem"]),
        "diagnosis_codes": draw.sample(["I10", "E11.9", "J44.9", "N18.3", "F32.9", "M54.5"], 2),
        "facility_name": composer.facility(),
        "location_address": f"{composer.street()}, {city.name}, {city.state}",
        "participant_name": f"{doctor.first} {doctor.last}",
        "participant_role": "attending",
        "service_provider": composer.facility(),
    }


def _observation(
    composer: Composer, encounter: dict[str, Any], performer: Person, place: int, note: str
) -> dict[str, Any]:
    draw = composer.draw
    code, category = draw.choice(_CODES)
    numeric = category != "document"
    return {
        "observation_id": f"O{encounter['patient_id']}-{place + 1}",
        "patient_id": encounter["patient_id"],
        "encounter_id": encounter["encounter_id"],
        "status": "final",
        "category": category,
        "code": code,
        "effective_date": encounter["period_start"],
        "issued": encounter["period_end"],
        "performer_name": f"{performer.first} {performer.last}",
        "value": f"{draw.randrange(40, 2000) / 10}" if numeric else None,
        "unit": {"8302-2": "cm", "4548-4": "%"}.get(code),
        "interpretation": draw.choice(["N", "H", "L"]) if numeric else None,
        "body_site": None,
        "method": None,
        "device": None,
        "reference_range": "4.0-5.6" if code == "4548-4" else None,
        "notes": note,
    }


def _values(patient: dict[str, Any], encounter: dict[str, Any]) -> dict[str, str]:
    """What a note says of the record itself; all else in it is about strangers."""
    return {
        "birth_date": patient["date_of_birth"],
        "phone": patient["phone"],
        "email": patient["email"],
        "ssn": patient["identifiers"][0],
        "mrn": patient["patient_id"],
        "street": patient["address_lines"][0],
        "zip": patient["postal_code"],
        "facility": encounter["facility_name"],
    }
