"""Ingest: every format gives the same tables; dirt goes to quarantine with a reason and a place, never a value."""

import base64
import gzip
import json
from pathlib import Path

import orjson
import polars as pl
import pytest

from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.errors import RiskflowError
from riskflow.notes.demo import demo_records
from riskflow.notes.demo_files import BROKEN, DIRT, write_demo
from riskflow.notes.ingest.sources import read_files, source_files
from riskflow.notes.ingest.stage import ingest
from riskflow.quarantine import QUARANTINE
from tests.paths import shared_data

PATIENT = {
    "patient_id": "p1",
    "family_name": "Secretname",
    "given_names": ["Ana"],
    "date_of_birth": "1980-02-03",
}
ENCOUNTER = {
    "encounter_id": "e1",
    "patient_id": "p1",
    "period_start": "2021-03-04T05:06:07-05:00",
    "length_minutes": 15,
}
OBSERVATION = {
    "observation_id": "o1",
    "patient_id": "p1",
    "encounter_id": "e1",
    "notes": "Secretname feels well.",
    "value": 7.2,
}
RECORD = {"patient": PATIENT, "encounters": [ENCOUNTER], "observations": [OBSERVATION]}


def load(tmp_path, paths, kind, shards=1):
    """Return the tables (shards joined, sorted by key), the quarantine, and the tally."""
    folders = {table: tmp_path / "out" / table for table in SOURCE_TABLES}
    tally, _ = ingest(read_files(source_files(paths, kind), kind), folders, tmp_path / "spill", shards)
    assert not (tmp_path / "spill").exists()
    tables = {
        table: pl.concat(pl.read_parquet(folders[table] / f"{n:04d}.parquet") for n in range(shards)).sort(
            contract.key
        )
        for table, contract in SOURCE_TABLES.items()
    }
    bad = QUARANTINE.validate(tally.quarantine())
    assert tally.read.total() == sum(t.height for t in tables.values()) + bad.height
    assert "Secretname" not in bad.write_csv()
    return tables, bad.sort("source", "line"), tally


def load_json(tmp_path, records, name="r.json"):
    path = tmp_path / name
    path.write_bytes(records if isinstance(records, bytes) else orjson.dumps(records))
    return load(tmp_path, [path], "json")


def heights(tables):
    return tuple(table.height for table in tables.values())


def test_a_record_becomes_typed_rows(tmp_path):
    tables, bad, _ = load_json(tmp_path, [RECORD])
    assert heights(tables) == (1, 1, 1)
    assert bad.is_empty()
    assert tables["patients"]["date_of_birth"].item().isoformat() == "1980-02-03"
    assert tables["encounters"]["period_start"].item().isoformat() == "2021-03-04T10:06:07+00:00"
    assert tables["observations"]["value"].item() == "7.2"


@pytest.mark.parametrize(
    ("table", "cells", "rule"),
    [
        ("patients", {"patient_id": None}, "no_patient_id"),
        ("patients", {"patient_id": "  "}, "no_patient_id"),
        ("patients", {"given_names": "Secretname"}, None),
        ("patients", {"given_names": [{"Secretname": 1}]}, "misfit_given_names"),
        ("patients", {"family_name": {"Secretname": 1}}, "misfit_family_name"),
        ("patients", {"family_name": True}, "misfit_family_name"),
        ("patients", {"date_of_birth": "Secretname"}, "misfit_date_of_birth"),
        ("patients", {"date_of_birth": 19800203}, "misfit_date_of_birth"),
        ("patients", {"date_of_birth": "1080-02-03"}, "bad_date_of_birth"),
        ("patients", {"deceased": "perhaps"}, "misfit_deceased"),
        ("encounters", {"encounter_id": None}, "no_encounter_id"),
        ("encounters", {"patient_id": "p9"}, "orphan_patient"),
        ("encounters", {"length_minutes": "long"}, "misfit_length_minutes"),
        ("encounters", {"length_minutes": -1}, "bad_length"),
        ("encounters", {"period_start": "2021-02-30T00:00:00"}, "misfit_period_start"),
        ("observations", {"observation_id": None}, "no_observation_id"),
        ("observations", {"patient_id": "p9"}, "orphan_patient"),
        ("observations", {"encounter_id": "e9"}, "orphan_encounter"),
        ("observations", {"encounter_id": None}, None),
        ("observations", {"notes": ["Secretname"]}, "misfit_notes"),
        ("observations", {"issued": "yesterday"}, "misfit_issued"),
    ],
)
def test_each_bad_cell_sends_its_row_to_quarantine_and_keeps_the_rows_beside_it(tmp_path, table, cells, rule):
    good = {
        "patient": {"patient_id": "p2"},
        "encounters": [{"encounter_id": "e2", "patient_id": "p2"}],
        "observations": [{"observation_id": "o2", "patient_id": "p2", "encounter_id": "e2"}],
    }
    record = json.loads(json.dumps(RECORD))
    row = record["patient"] if table == "patients" else record[table][0]
    row.update(cells)
    tables, bad, _ = load_json(tmp_path, [good, record])
    assert "p2" in tables["patients"]["patient_id"]
    assert {"e2"} <= set(tables["encounters"]["encounter_id"])
    assert {"o2"} <= set(tables["observations"]["observation_id"])
    found = bad.filter(source=f"r.json:{table}", line=2)["rule_id"].to_list()
    assert found == ([] if rule is None else [rule])


def test_repeated_ids_keep_the_first_row_even_of_another_patient(tmp_path):
    other = {
        "patient": {"patient_id": "p2"},
        "encounters": [],
        "observations": [{"observation_id": "o1", "patient_id": "p2"}],
    }
    for shards in (1, 4):
        path = tmp_path / "r.json"
        path.write_bytes(orjson.dumps([RECORD, RECORD, other]))
        tables, bad, _ = load(tmp_path, [path], "json", shards)
        assert heights(tables) == (2, 1, 1)
        assert tables["observations"]["patient_id"].to_list() == ["p1"]
        assert bad["rule_id"].to_list() == ["repeated_id"] * 4


def test_the_same_file_twice_is_all_repeated(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "r.json").write_bytes(orjson.dumps([RECORD]))
    _, bad, _ = load(tmp_path, [tmp_path / "a", tmp_path / "b"], "json")
    assert sorted(bad["source"]) == ["2-r.json:encounters", "2-r.json:observations", "2-r.json:patients"]


def test_children_without_a_patient_id_are_of_the_patient_around_them(tmp_path):
    bare = {k: v for k, v in OBSERVATION.items() if k != "patient_id"}
    tables, bad, _ = load_json(tmp_path, [{**RECORD, "observations": [bare]}])
    assert tables["observations"]["patient_id"].to_list() == ["p1"]
    assert bad.is_empty()


def test_a_bad_patient_leaves_its_rows_orphaned_not_lost(tmp_path):
    tables, bad, _ = load_json(tmp_path, [{**RECORD, "patient": {**PATIENT, "family_name": 1 == 1}}])
    assert heights(tables) == (0, 0, 0)
    assert sorted(bad["rule_id"]) == ["misfit_family_name", "orphan_patient", "orphan_patient"]


@pytest.mark.parametrize(
    ("text", "kept", "rule"),
    [
        (b'[%s, {"patient": {"patient_id": "Secretname', 1, "unreadable"),
        (b"[%s, %s", 1, "unreadable"),
        (b'[%s] [{"patient": {"patient_id": "Secretname"}}]', 1, "unreadable"),
        (b'[{"patient": {"family_name": "\xff\xfeSecretname"}}, %s]', 1, "unreadable"),
        (b'["Secretname", %s]', 1, "unreadable"),
        (b'[{"persons": "Secretname"}, %s]', 1, "not_a_record"),
        (b'[{"patient": "Secretname"}, %s]', 1, "not_a_record"),
        (b'[{"encounters": {"Secretname": 1}, "patient": {"patient_id": "p8"}}, %s]', 2, "wrong_type"),
    ],
)
def test_damaged_files_keep_what_is_whole_and_tell_the_place(tmp_path, text, kept, rule):
    record = orjson.dumps(RECORD)
    tables, bad, _ = load_json(tmp_path, text.replace(b"%s", record))
    assert tables["patients"].height == kept
    row = bad.filter(source="r.json:records").row(0, named=True)
    assert row["rule_id"] == rule
    assert "at byte" in row["reason"]


def test_every_kind_of_demo_dirt_is_quarantined_and_every_clean_row_kept(tmp_path):
    path = tmp_path / "demo.json"
    counts = write_demo(demo_records(400, 3), path, None, dirt=0.03, seed=3)
    assert all(counts[name] for name in (*DIRT, *BROKEN)), "the demo lacks a kind of dirt"
    tables, bad, tally = load(tmp_path, [path], "json", 3)
    reasons = " ".join(bad["reason"].unique())
    for told in (
        "not valid UTF-8",
        "not valid JSON",
        "not an object",
        "earlier row",
        "among the patients",
        "encounters of the patient",
    ):
        assert told in reasons
    clean_tables, clean_bad, _ = load_clean_demo(tmp_path)
    assert clean_bad.is_empty()
    assert tables["patients"].height == clean_tables["patients"].height - counts["wrong_list"]
    good = tables["patients"].join(clean_tables["patients"], on="patient_id")
    assert good.height == tables["patients"].height
    assert tally.kept["observations"] == tables["observations"].height


def load_clean_demo(tmp_path):
    path = tmp_path / "clean.json"
    write_demo(demo_records(400, 3), path, None)
    return load(tmp_path, [path], "json", 3)


def test_shards_never_change_the_rows(tmp_path):
    path = tmp_path / "demo.json"
    write_demo(demo_records(60, 3), path, None, dirt=0.03, seed=3)
    one, many = load(tmp_path, [path], "json", 1), load(tmp_path, [path], "json", 7)
    assert all(one[0][table].equals(many[0][table]) for table in SOURCE_TABLES)
    assert one[1].equals(many[1])


def written(tmp_path: Path, kind: str) -> tuple[list[Path], str]:
    """Write the same clean demo in a format."""
    records = [item.record for item in demo_records(25, 9)]
    rows = {
        "patients": [r["patient"] for r in records],
        "encounters": [e for r in records for e in r["encounters"]],
        "observations": [o for r in records for o in r["observations"]],
    }
    folder = tmp_path / kind
    folder.mkdir()
    if kind == "json":
        (folder / "r.json").write_bytes(orjson.dumps(records))
    elif kind == "json.gz":
        (folder / "r.json.gz").write_bytes(gzip.compress(orjson.dumps(records)))
    elif kind == "json values":
        (folder / "r.json").write_bytes(b"\n".join(map(orjson.dumps, records)))
    elif kind == "jsonl":
        (folder / "r.jsonl").write_bytes(b"\r\n".join(map(orjson.dumps, records)))
    else:
        for table, items in rows.items():
            frame = pl.from_dicts(
                items,
                schema={
                    n: t if t == pl.List(pl.String) else None for n, t in SOURCE_TABLES[table].schema.items()
                },
                infer_schema_length=None,
            )
            if kind == "parquet":
                frame.write_parquet(folder / f"{table}.parquet")
            else:
                lists = [n for n, t in frame.schema.items() if t == pl.List(pl.String)]
                frame.with_columns(pl.col(lists).list.join("|")).write_csv(
                    folder / f"{table}.{kind}", separator="\t" if kind == "tsv" else ","
                )
    return [folder], {"json.gz": "json", "json values": "json", "tsv": "csv"}.get(kind, kind)


@pytest.mark.parametrize("kind", ["json.gz", "json values", "jsonl", "csv", "tsv", "parquet"])
def test_every_format_gives_the_tables_of_json(tmp_path, kind):
    expected, _, _ = load(tmp_path, *written(tmp_path, "json"))
    tables, bad, _ = load(tmp_path, *written(tmp_path, kind))
    assert bad.is_empty(), bad["reason"].to_list()
    for table, frame in tables.items():
        blank = [n for n, t in frame.schema.items() if t == pl.List(pl.String)]
        tidy = [pl.when(pl.col(n).list.len() > 0).then(pl.col(n)).alias(n) for n in blank]
        assert frame.with_columns(tidy).equals(expected[table].with_columns(tidy)), table


def test_jsonl_is_read_line_by_line_and_a_bad_line_is_told_by_its_number(tmp_path):
    path = tmp_path / "r.jsonl"
    second = orjson.dumps({"patient": {"patient_id": "p2"}})
    path.write_bytes(
        orjson.dumps(RECORD)
        + b'\n\n{"patient": {"patient_id": "Secretname"\n'
        + b'\xff\n["Secretname"]\n'
        + second
    )
    tables, bad, _ = load(tmp_path, [path], "jsonl")
    assert heights(tables) == (2, 1, 1)
    assert bad["line"].to_list() == [3, 4, 5]
    assert "line 3 at byte" in bad["reason"][0]


def test_csv_dirt_is_told_by_line(tmp_path):
    rows = (b"p1,A,1980-01-02", b"p2,Secretname", b"p3,\xff,1980-01-02", b"p4,B,02/03/1980", b"p5,C,soon")
    text = b"\n".join([b"patient_id,family_name,date_of_birth", *rows])
    (tmp_path / "patients.csv").write_bytes(text)
    tables, bad, _ = load(tmp_path, [tmp_path / "patients.csv"], "csv")
    assert tables["patients"]["patient_id"].to_list() == ["p1", "p4"]
    assert list(zip(bad["line"], bad["rule_id"], strict=True)) == [
        (3, "wrong_width"),
        (4, "unreadable"),
        (6, "misfit_date_of_birth"),
    ]


def test_an_open_quote_in_csv_is_told_and_the_rows_before_it_are_kept(tmp_path):
    (tmp_path / "patients.csv").write_text('patient_id,family_name\np1,A\np2,"Secretname\np3,B\n')
    tables, bad, _ = load(tmp_path, [tmp_path / "patients.csv"], "csv")
    assert tables["patients"]["patient_id"].to_list() == ["p1"]
    assert bad["rule_id"].to_list() == ["unreadable"]


@pytest.mark.parametrize(
    ("name", "content", "kind", "says"),
    [
        ("patients.csv", b"", "csv", "empty"),
        ("patients.csv", b"name\nSecretname\n", "csv", "patient_id"),
        ("people.csv", b"patient_id\n1\n", "csv", "no table"),
        ("patients.parquet", b"PAR1Secretname", "parquet", "Parquet"),
        ("r.json.gz", b"\x1f\x8b\x08Secretname", "json", "damaged"),
        ("patients.csv", b"Id,PATIENT\n", "synthea", "Synthea"),
    ],
)
def test_a_file_that_is_of_no_use_is_one_clear_error(tmp_path, name, content, kind, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RiskflowError, match=says) as raised:
        load(tmp_path, [path], kind)
    assert "Secretname" not in str(raised.value)


def test_missing_and_empty_paths_are_clear_errors(tmp_path):
    with pytest.raises(RiskflowError, match="no file or folder"):
        source_files([tmp_path / "absent"], "json")
    with pytest.raises(RiskflowError, match="no file of format"):
        source_files([tmp_path], "json")


# FHIR -----------------------------------------------------------------------------------------------------------

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


def test_synthea_csv_is_read_whole(tmp_path):
    tables, bad, tally = load(tmp_path, [shared_data("synthea")], "synthea", 3)
    assert (tally.read["patients"], tally.read["encounters"], tally.read["observations"]) == (59, 2590, 21697)
    assert tables["patients"].height == 59
    assert tables["encounters"].height == 2590
    assert set(bad["rule_id"]) <= {"repeated_id"}
    assert bad.height < 0.01 * 21697
    assert tables["patients"]["identifiers"].list.len().min() >= 1
    assert tables["observations"]["effective_date"].null_count() == 0
