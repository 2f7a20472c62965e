"""Write demo patients to a file as real sources come, dirt included, and the labels of their notes beside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson

from riskflow.config.notes import NotesDemoStage
from riskflow.files import replacing
from riskflow.notes.demo import DemoRecord, demo_records
from riskflow.notes.pseudonym import DEMO_KEY, create_key
from riskflow.receipts import Receipt

Record = dict[str, Any]


def run(*, records: Path, labels: Path, key: Path, config: NotesDemoStage) -> Receipt:
    """Write demo patients as one JSON array, the labelled notes as JSON lines, and the demo's key (mode 0600)."""
    create_key(key, DEMO_KEY)
    demo = config.demo
    counts = write_demo(demo_records(demo.patients, demo.seed), records, labels, demo.dirt, demo.seed)
    dirt = {name: count for name, count in sorted(counts.items()) if name in DIRT or name in BROKEN}
    return Receipt(
        counts={name: counts[name] for name in ("patients", "encounters", "observations")},
        facts={"dirt": dirt},
    )


def write_demo(
    records: Iterable[DemoRecord], path: Path, labels: Path | None, dirt: float = 0.0, seed: int = 0
) -> Counter[str]:
    """Write records as JSON lines (`.jsonl`) or one JSON array; return rows and pieces of dirt by name."""
    counts: Counter[str] = Counter()
    lines = path.suffix == ".jsonl"
    with replacing(path) as temporary, temporary.open("wb") as out:
        for number, piece in enumerate(_pieces(records, labels, dirt, Random(f"dirt:{seed}"), counts)):
            out.write(b"" if lines else b",\n" if number else b"[\n")
            out.write(piece + (b"\n" if lines else b""))
        out.write(b"" if lines else b"\n]\n" if counts else b"[]\n")
    return counts


def labelled_line(name: str, text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Return a line of a labelled set: id, text, spans with start, end (code points) and kind."""
    marks = [{"start": start, "end": end, "kind": kind} for start, end, kind in spans]
    return json.dumps({"id": name, "text": text, "spans": marks}, ensure_ascii=False)


def _pieces(
    records: Iterable[DemoRecord], labels: Path | None, dirt: float, draw: Random, counts: Counter[str]
) -> Iterator[bytes]:
    """Yield the JSON of every record, some made dirty, and write labels on the way."""
    if labels is None:
        for item in records:
            yield from _record_pieces(item, dirt, draw, counts)
        return
    with replacing(labels) as temporary, temporary.open("w", encoding="utf-8") as out:
        for item in records:
            for name, note in item.notes.items():
                out.write(labelled_line(name, note.text, note.spans) + "\n")
            yield from _record_pieces(item, dirt, draw, counts)


def _record_pieces(item: DemoRecord, dirt: float, draw: Random, counts: Counter[str]) -> Iterator[bytes]:
    record = item.record
    counts.update(patients=1, encounters=len(record["encounters"]), observations=len(record["observations"]))
    for name, soil in DIRT.items():
        if draw.random() < dirt and record["observations"]:
            record = soil(record)
            counts[name] += 1
    yield orjson.dumps(record)
    for name, broken in BROKEN.items():
        if draw.random() < dirt:
            counts[name] += 1
            yield broken(orjson.dumps(record))


def _changed(record: Record, table: str, **cells: Any) -> Record:
    """Return the record with cells of the last row of a table changed."""
    rows = [*record[table][:-1], {**record[table][-1], **cells}]
    return {**record, table: rows}


def _more(record: Record, table: str, **cells: Any) -> Record:
    """Return the record with a copy of the last row of a table, some cells changed."""
    return {**record, table: [*record[table], {**record[table][-1], **cells}]}


DIRT: dict[str, Callable[[Record], Record]] = {
    "repeated_observation": lambda r: _more(r, "observations"),
    "repeated_encounter": lambda r: _more(r, "encounters"),
    "stray_patient": lambda r: _more(
        r, "observations", observation_id="stray-" + r["patient"]["patient_id"], patient_id="no-such-patient"
    ),
    "stray_encounter": lambda r: _changed(r, "observations", encounter_id="no-such-encounter"),
    "no_id": lambda r: _more(r, "observations", observation_id=None),
    "blank_id": lambda r: _more(r, "encounters", encounter_id=" "),
    "wrong_type": lambda r: _changed(r, "observations", notes={"text": ["nested"]}),
    "wrong_list": lambda r: {**r, "patient": {**r["patient"], "given_names": [{"first": 1}]}},
    "bad_date": lambda r: _changed(r, "observations", effective_date="2021-02-30T25:00:00Z"),
    "not_an_object": lambda r: {**r, "observations": [*r["observations"], "observation"]},
}
"""Kinds of dirt within a record that is valid JSON."""

BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "bad_syntax": lambda text: text.replace(b":", b"", 1),
    "not_closed": lambda text: text[: len(text) // 2],
    "bad_utf8": lambda text: text.replace(b'"status":"', b'"status":"\xff\xfe', 1),
    "scalar": lambda text: b"17",
    "second_patient": lambda text: text,
}
"""Kinds of extra elements that are broken, or repeat the record before them."""
