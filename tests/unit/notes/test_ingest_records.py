"""Records to typed rows: bad cells, repeated ids, orphans, damaged files, demo dirt, shards."""

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.errors import RiskflowError
from riskflow.notes.demo import demo_records
from riskflow.notes.demo_files import BROKEN, DIRT, write_demo
from riskflow.notes.ingest import spill
from riskflow.notes.ingest.typed import _list_series
from tests.unit.notes.ingest_files import OBSERVATION, PATIENT, RECORD, heights, load, load_json


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


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_repeated_ids_are_found_however_few_are_compared_at_a_time(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(spill, "HASHES_AT_ONCE", at_once)
    ids = [f"p{n * n % 23}" for n in range(40)]
    tables, bad, _ = load_json(tmp_path, [{"patient": {"patient_id": patient_id}} for patient_id in ids])
    later = [line for line, patient_id in enumerate(ids, 1) if patient_id in ids[: line - 1]]
    assert (bad["rule_id"].unique().to_list(), sorted(bad["line"])) == (["repeated_id"], later)
    assert sorted(tables["patients"]["patient_id"]) == sorted(set(ids))


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


def test_more_shards_than_the_machine_has_open_files_for_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(spill.resource, "getrlimit", lambda _: (256, 512))
    with pytest.raises(RiskflowError, match=r"notes\.shards\.count: .* this machine allows 512"):
        spill.Spill(tmp_path, 400)


def test_the_limit_of_open_files_is_raised_as_far_as_needed(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(spill.resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(spill.resource, "setrlimit", lambda _, limits: asked.append(limits))
    spill.Spill(tmp_path, 2)
    spill.Spill(tmp_path, 400)
    assert asked == [(3 * 400 + 64, 4096)]


@settings(deadline=None)
@given(st.lists(st.none() | st.lists(st.text(max_size=5), max_size=4), max_size=12))
def test_lists_of_texts_become_the_same_lists(values):
    assert _list_series(values).to_list() == values
