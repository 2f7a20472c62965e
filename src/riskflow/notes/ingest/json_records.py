"""JSON records: one huge array of {patient, encounters[], observations[]}, such values in a row, or JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from riskflow.notes.ingest.records import Collector, RawChunk, chunked
from riskflow.notes.ingest.walk import each_element, each_line

_BEGINS = re.compile(rb'\{\s*"patient"\s*:')
_CHILDREN = ("encounters", "observations")


def read_json(handle: BinaryIO, source: str) -> Iterator[RawChunk]:
    """Yield the records of a JSON file; `line` numbers count the rows of a table, faults the elements."""
    collector = Collector(source)
    return chunked(collector, each_element(handle, collector, "element", add_record, _BEGINS))


def read_jsonl(handle: BinaryIO, source: str) -> Iterator[RawChunk]:
    """Yield the records of a JSON-lines file; faults are numbered by line."""
    collector = Collector(source)
    return chunked(collector, each_line(handle, collector, add_record))


def add_record(collector: Collector, record: Any, where: str) -> None:
    """Add the rows of one record; a part of the wrong type is a fault, the other parts are kept."""
    if not isinstance(record, dict) or not isinstance(record.get("patient", {}), dict):
        collector.fault("not_a_record", f"{where} is not an object with patient, encounters, observations")
        return
    patient = record.get("patient")
    if patient is None and not any(record.get(name) for name in _CHILDREN):
        collector.fault("not_a_record", f"{where} has neither patient nor encounters nor observations")
        return
    if patient is not None:
        collector.add("patients", patient)
    for table in _CHILDREN:
        _add_children(collector, table, record.get(table), (patient or {}).get("patient_id"), where)


def _add_children(collector: Collector, table: str, rows: Any, patient_id: Any, where: str) -> None:
    if rows is None:
        return
    if not isinstance(rows, list):
        collector.fault("wrong_type", f"{where}: {table} is not a list")
        return
    for row in rows:
        if not isinstance(row, dict):
            collector.row_fault(table, "wrong_type", f"{where}: an item of {table} is not an object")
        elif row.get("patient_id") is None and patient_id is not None:
            collector.add(table, {**row, "patient_id": patient_id})
        else:
            collector.add(table, row)
