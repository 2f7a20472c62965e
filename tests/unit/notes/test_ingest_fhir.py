"""FHIR Bundles and Bulk-Data NDJSON to rows; misshapen and cut-off ones."""

import base64

import orjson
import pytest

from tests.unit.notes.ingest_files import heights, load

RESOURCES = [
    {
        "resourceType": "Patient",
        "id": "p1",
        "birthDate": "1980-02",
        "gender": "female",
        "identifier": [{"system": "ssn", "value": "999-00-1111"}],
        "name": [
            {"use": "old", "family": "Former"},
            {"use": "official", "family": "Secretname", "given": ["Ana", "B"], "prefix": ["Dr."]},
        ],
        "telecom": [{"system": "email", "value": "a@example.org"}, {"system": "phone", "value": "555-0100"}],
        "address": [
            {"line": ["1 Main St"], "city": "Erie", "state": "PA", "postalCode": "16501", "country": "US"}
        ],
        "maritalStatus": {"coding": [{"code": "M", "display": "Married"}]},
        "contact": [
            {
                "name": {"family": "Ruiz", "given": ["Leo"]},
                "relationship": [{"text": "son"}],
                "telecom": [{"value": "555-0101"}],
            }
        ],
        "communication": [{"language": {"coding": [{"code": "es"}]}}],
        "deceasedDateTime": "2022-05-06T07:08:09Z",
    },
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p1"},
        "type": [{"text": "Visit"}],
        "period": {"start": "2021-03-04T05:06:07.5-05:00", "end": "2021-03-04T06:06:07-05:00"},
        "length": {"value": 1, "code": "h"},
        "participant": [{"individual": {"display": "Dr. Ono"}}],
        "location": [{"location": {"display": "Mercy"}}],
        "serviceProvider": {"reference": "Organization/77"},
    },
    {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "subject": {"reference": "urn:uuid:p1"},
        "encounter": {"reference": "https://fhir.example.org/Encounter/e1"},
        "code": {"coding": [{"code": "4548-4"}]},
        "valueQuantity": {"value": 7.2, "unit": "%"},
        "effectiveDateTime": "2021-03-04",
        "note": [{"text": "one"}, {"text": "two"}],
        "referenceRange": [{"low": {"value": 4}, "high": {"value": 5.6}}],
    },
    {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "subject": {"reference": "Patient/p1"},
        "context": {"encounter": [{"reference": "Encounter/e1"}]},
        "type": {"text": "Progress note"},
        "date": "2021-03-04T05:06:07Z",
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "data": base64.b64encode("Zoë geht’s gut.".encode()).decode(),
                }
            }
        ],
    },
    {"resourceType": "Medication", "id": "m1"},
]


def bundle(*resources, **more):
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "link": [{"url": "x"}],
        "entry": [{"fullUrl": "urn:uuid:1", "resource": r} for r in resources],
        **more,
    }


@pytest.mark.parametrize("kind", ["fhir", "fhir_ndjson"])
def test_fhir_resources_become_rows(tmp_path, kind):
    path = tmp_path / ("b.json" if kind == "fhir" else "b.ndjson")
    path.write_bytes(
        orjson.dumps(bundle(*RESOURCES, total=5))
        if kind == "fhir"
        else b"\n".join(map(orjson.dumps, RESOURCES))
    )
    tables, bad, _ = load(tmp_path, [path], kind)
    assert bad.is_empty(), bad["reason"].to_list()
    patient = tables["patients"].row(0, named=True)
    assert (patient["family_name"], patient["given_names"], patient["contact_name"]) == (
        "Secretname",
        ["Ana", "B"],
        "Leo Ruiz",
    )
    assert (
        patient["date_of_birth"].isoformat(),
        patient["deceased"],
        patient["deceased_date"].isoformat(),
    ) == ("1980-02-01", True, "2022-05-06")
    encounter = tables["encounters"].row(0, named=True)
    assert (encounter["length_minutes"], encounter["service_provider"], encounter["facility_name"]) == (
        60,
        "77",
        "Mercy",
    )
    document, observation = tables["observations"].rows(named=True)
    assert (document["notes"], document["category"], document["encounter_id"]) == (
        "Zoë geht’s gut.",
        "document",
        "e1",
    )
    assert (
        observation["value"],
        observation["unit"],
        observation["notes"],
        observation["reference_range"],
    ) == ("7.2", "%", "one\ntwo", "4-5.6")
    assert observation["encounter_id"] == "e1"


@pytest.mark.parametrize(
    ("resource", "says"),
    [
        ({"resourceType": "Patient", "id": "x", "name": "Secretname"}, "list|shape"),
        ({"resourceType": "Patient", "id": "x", "name": {"family": "Secretname"}}, "list|shape"),
        ({"resourceType": "Observation", "id": "x", "subject": ["Secretname"]}, "shape"),
        ({"resourceType": "Observation", "id": "x", "note": [{"text": 5}]}, "not a text"),
        (
            {
                "resourceType": "DocumentReference",
                "id": "x",
                "content": [{"attachment": {"data": "%%Secretname"}}],
            },
            "base64",
        ),
        (
            {
                "resourceType": "DocumentReference",
                "id": "x",
                "content": [{"attachment": {"contentType": "text/plain", "data": "/w=="}}],
            },
            "UTF-8",
        ),
        (
            {
                "resourceType": "DocumentReference",
                "id": "x",
                "content": [{"attachment": {"url": "https://example.org/Secretname"}}],
            },
            "no text",
        ),
        ({"id": "x"}, "not a FHIR resource"),
        (["Secretname"], "not a FHIR resource"),
    ],
)
def test_misshapen_resources_are_told_and_the_others_kept(tmp_path, resource, says):
    path = tmp_path / "b.json"
    path.write_bytes(orjson.dumps(bundle(resource, *RESOURCES)))
    tables, bad, _ = load(tmp_path, [path], "fhir")
    assert heights(tables) == (1, 1, 2)
    assert bad.height == 1
    assert bad["reason"].str.contains(says).all()
    assert "entry 1 at byte" in bad["reason"].item()


def test_a_truncated_bundle_keeps_the_entries_before_the_cut(tmp_path):
    data = orjson.dumps(bundle(*RESOURCES))
    path = tmp_path / "b.json"
    path.write_bytes(data[: data.index(b"DocumentReference")])
    tables, bad, _ = load(tmp_path, [path], "fhir")
    assert heights(tables) == (1, 1, 1)
    assert "truncated" in bad["reason"].item()
