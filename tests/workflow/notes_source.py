"""Records of patients that do not exist, with identifiers that nothing else could be: canaries."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from riskflow.notes.demo import demo_records

PEOPLE = 40
FAILS_ON = "Xylomancy"
"""A word of one note; the tests let the name model fail on it."""

CANARY: dict[str, Any] = {
    "patient": {
        "patient_id": "MRN-4417263590",
        "identifiers": ["521-88-4076", "K3920175"],
        "family_name": "Quetzalvane",
        "given_names": ["Thessaly", "Umberwick"],
        "date_of_birth": "1961-07-23",
        "gender": "female",
        "address_lines": ["7719 Zephyrmont Crossing"],
        "city": "Brumhaven",
        "state": "OR",
        "postal_code": "97402",
        "country": "US",
        "phone": "(541) 555-0163",
        "email": "t.quetzalvane@pollymail.example",
        "contact_name": "Ignatius Wrexcombe",
        "contact_relationship": "brother",
        "contact_phone": "541-555-0187",
        "managing_organization": "Larkwhistle Clinic",
    },
    "encounters": [
        {
            "encounter_id": "ENC-99183-canary",
            "patient_id": "MRN-4417263590",
            "status": "finished",
            "class_code": "AMB",
            "period_start": "2021-05-04T09:00:00Z",
            "period_end": "2021-05-04T10:00:00Z",
            "participant_name": "Dr. Orsolya Fennimarch",
            "facility_name": "Larkwhistle Clinic",
            "reason_code": "Follow-up for Thessaly Quetzalvane",
        }
    ],
    "observations": [
        {
            "observation_id": f"OBS-{place}-canary",
            "patient_id": "MRN-4417263590",
            "encounter_id": "ENC-99183-canary",
            "effective_date": "2021-05-04T09:30:00Z",
            "code": "34109-9",
            "performer_name": "Dr. Orsolya Fennimarch",
            "value": value,
            "notes": note,
        }
        for place, (value, note) in enumerate(
            [
                (
                    "4.2",
                    "Ms. Quetzalvane (MRN 4417263590, SSN 521-88-4076) was seen by Dr. Orsolya Fennimarch.",
                ),
                ("call 541-555-0163", "Thessaly lives at 7719 Zephyrmont Crossing in Brumhaven, OR 97402."),
                (
                    "neg",
                    "Reached Ignatius Wrexcombe, her brother, at 541.555.0187 and t.quetzalvane@pollymail.example.",
                ),
                ("7", f"Thessaly Quetzalvane speaks of {FAILS_ON} and of 23 July 1961. Lungs clear."),
            ]
        )
    ],
}

CANARIES = (
    *("4417263590", "521-88-4076", "521884076", "K3920175", "Quetzalvane", "Thessaly", "Umberwick"),
    *(
        "1961-07-23",
        "23 July 1961",
        "Zephyrmont",
        "Brumhaven",
        "OR 97402",
        "555-0163",
        "555.0187",
        "555-0187",
    ),
    *("pollymail", "Ignatius", "Wrexcombe", "Orsolya", "Fennimarch", "Larkwhistle", "ENC-99183", "-canary"),
)
"""What must be nowhere but in the sources and the sensitive folder."""


def write_source(path: Path, people: int = PEOPLE) -> None:
    """Write an array of good records, the canary, a broken and a repeated copy of it, and what is no record."""
    records = [item.record for item in demo_records(people, seed=77)]
    broken = copy.deepcopy(CANARY)
    broken["patient"]["patient_id"] = "MRN-4417263590-second"
    for name in ("encounters", "observations"):
        for row in broken[name]:
            row["patient_id"] = "MRN-4417263590-second"
            row[f"{name[:-1]}_id"] += "-second"
    broken["patient"]["date_of_birth"] = "born 1961-07-23"
    records += [CANARY, broken, CANARY, "Thessaly Quetzalvane"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n", encoding="utf-8")


def identifiers_of_everybody(people: int = PEOPLE) -> list[str]:
    """Return what identifies the other patients beyond doubt: numbers, addresses, contacts, full names, ids."""
    found: list[str] = []
    for item in demo_records(people, seed=77):
        patient = item.record["patient"]
        found += [
            patient["email"],
            *patient["identifiers"],
            *patient["address_lines"],
            patient["contact_name"],
        ]
        found += [f"{patient['given_names'][0]} {patient['family_name']}"]
        found += [row["observation_id"] for row in item.record["observations"]]
        found += [row["encounter_id"] for row in item.record["encounters"]]
    return found
