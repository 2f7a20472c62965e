"""What the tests of ingest share: a call of the stage over files, and a record."""

import orjson
import polars as pl

from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.notes.ingest.sources import read_files, source_files
from riskflow.notes.ingest.stage import ingest
from riskflow.quarantine import QUARANTINE

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
