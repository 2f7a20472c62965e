"""Every format gives the same tables; faults of flat files are told by line."""

import gzip
from pathlib import Path

import orjson
import polars as pl
import pytest

from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.errors import RiskflowError
from riskflow.notes.demo import demo_records
from riskflow.notes.ingest.sources import source_files
from tests.paths import shared_data
from tests.unit.notes.ingest_files import RECORD, heights, load


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


def test_synthea_csv_is_read_whole(tmp_path):
    tables, bad, tally = load(tmp_path, [shared_data("synthea")], "synthea", 3)
    assert (tally.read["patients"], tally.read["encounters"], tally.read["observations"]) == (59, 2590, 21697)
    assert tables["patients"].height == 59
    assert tables["encounters"].height == 2590
    assert set(bad["rule_id"]) <= {"repeated_id"}
    assert bad.height < 0.01 * 21697
    assert tables["patients"]["identifiers"].list.len().min() >= 1
    assert tables["observations"]["effective_date"].null_count() == 0
