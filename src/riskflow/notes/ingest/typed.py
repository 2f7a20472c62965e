"""From raw cells to typed columns: a cell that does not fit sends its row to quarantine, never to null in silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.notes.ingest.records import RawChunk, RawTable
from riskflow.quarantine import QUARANTINE, Rule, split

SOURCE, LINE = "__source", "__line"
_FAULTY = "__faulty_"
_NOTHING = type(None)


@dataclass(frozen=True)
class TypedTable:
    """Rows in the contract's columns plus source and line; quarantine rows; how many were read."""

    kept: pl.DataFrame
    quarantined: pl.DataFrame
    read: int


def typed_table(table: str, raw: RawTable, source: str) -> TypedTable:
    """Return the typed rows of a raw table; rows with a misfit cell or without a key are quarantined."""
    schema = SOURCE_TABLES[table].schema
    height = len(raw.lines)
    columns: list[pl.Series] = []
    faulty: list[pl.Series] = []
    for name, dtype in schema.items():
        values, misfits = _TYPED[_family(dtype)](raw.columns.get(name, [None] * height))
        columns.append(values.alias(name))
        if misfits is not None and misfits.any():
            faulty.append(misfits.alias(_FAULTY + name))
    place = [
        pl.Series(LINE, raw.lines, dtype=pl.Int64),
        pl.Series(SOURCE, [f"{source}:{table}"] * height, dtype=pl.String),
    ]
    frame = pl.DataFrame([*columns, *place, *faulty])
    parted = split(frame, _rules(table, frame), line=LINE, source=SOURCE, keep_row=False)
    kept = parted.kept.select(*schema, SOURCE, LINE)
    return TypedTable(kept, parted.quarantined, height)


def fault_rows(chunk: RawChunk) -> pl.DataFrame:
    """Return the faults of a chunk as quarantine rows."""
    rows = [(f.rule, f"{chunk.source}:{f.unit}", f.number, f.reason, None) for f in chunk.faults]
    return pl.DataFrame(rows, schema=QUARANTINE.schema, orient="row")


def _rules(table: str, frame: pl.DataFrame) -> list[Rule]:
    misfits = [name.removeprefix(_FAULTY) for name in frame.columns if name.startswith(_FAULTY)]
    rules = [
        Rule(
            f"misfit_{name}",
            f"{name} is not {_MEANING[_family(frame.schema[name])]}",
            ~pl.col(_FAULTY + name),
        )
        for name in misfits
    ]
    needed = [*SOURCE_TABLES[table].key, *(["patient_id"] if table != "patients" else [])]
    rules += [Rule(f"no_{name}", f"{name} is absent", pl.col(name).is_not_null()) for name in needed]
    days = [n for n, dtype in frame.schema.items() if dtype.is_temporal()]
    rules += [Rule(f"bad_{n}", f"{n} lies outside the years 1850 to 2100", _possible(n)) for n in days]
    if table == "encounters":
        minutes = pl.col("length_minutes")
        rules.append(
            Rule(
                "bad_length",
                "length_minutes is below 0 or above ten years",
                minutes.is_null() | minutes.is_between(0, 60 * 24 * 3660),
            )
        )
    return rules


def _possible(name: str) -> pl.Expr:
    return pl.col(name).is_null() | pl.col(name).dt.year().is_between(1850, 2100)


def _family(dtype: Any) -> str:
    if dtype == pl.List(pl.String):
        return "list"
    return {pl.String: "text", pl.Date: "date", pl.Int64: "integer", pl.Boolean: "boolean"}.get(
        dtype, "moment"
    )


Converted = tuple[pl.Series, pl.Series | None]


def _texts(values: Sequence[Any]) -> Converted:
    misfits = None
    if not set(map(type, values)) <= {str, _NOTHING}:
        misfits = pl.Series(
            [_scalar(value) is None and value is not None for value in values], dtype=pl.Boolean
        )
        values = [_scalar(value) for value in values]
    series = pl.Series(values, dtype=pl.String)
    blank = series.str.strip_chars() == ""
    if not blank.any():
        return series, misfits
    return pl.select(pl.when(~blank).then(series)).to_series(), misfits


def _scalar(value: Any) -> str | None:
    """Text of a text or a number; None for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _lists(values: Sequence[Any]) -> Converted:
    kinds = set(map(type, values))
    if kinds <= {str, _NOTHING}:  # flat files: items with | between them
        values = [None if not value else [item for item in value.split("|") if item] for value in values]
        return _list_series(values), None
    plain = kinds <= {list, _NOTHING} and set(map(type, chain.from_iterable(filter(None, values)))) <= {str}
    misfits = None
    if not plain:
        good = [
            value is None or (isinstance(value, list) and all(_scalar(v) is not None for v in value))
            for value in values
        ]
        misfits = ~pl.Series(good, dtype=pl.Boolean)
        values = [
            [_scalar(v) for v in value] if fits and value else None
            for value, fits in zip(values, good, strict=True)
        ]
    return _list_series(values), misfits


def _list_series(values: Sequence[Any]) -> pl.Series:
    """Texts in lists, by way of Arrow's buffers: polars would make a series of every list, Arrow import pandas."""
    texts = pl.Series(list(chain.from_iterable(filter(None, values))), dtype=pl.String).to_arrow()
    lengths = np.fromiter((len(value) if value else 0 for value in values), np.int64, len(values))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    there = np.packbits(np.array([value is not None for value in values], bool), bitorder="little")
    buffers = [pa.py_buffer(there), pa.py_buffer(offsets)]
    kind = pa.large_list(texts.type)
    return pl.Series(pa.Array.from_buffers(kind, len(values), buffers, children=[texts])).cast(
        pl.List(pl.String)
    )


def _dates(values: Sequence[Any]) -> Converted:
    """Days as YYYY-MM-DD, or the day of a moment; YYYY and YYYY-MM (FHIR allows them) are their first day."""
    texts, misfits = _stamps(values)
    complete = texts.str.slice(0, 10)
    complete = pl.select(
        pl.when(complete.str.len_chars() == 4).then(complete + "-01-01")
        .when(complete.str.len_chars() == 7).then(complete + "-01")
        .otherwise(complete)
    ).to_series()  # fmt: skip
    days = complete.str.to_date("%Y-%m-%d", strict=False)
    american = texts.str.to_date("%m/%d/%Y", strict=False)
    return _parsed(texts, days.fill_null(american) if len(days) else days, misfits)


def _moments(values: Sequence[Any]) -> Converted:
    """Moments of ISO 8601; without an offset they are taken as UTC, days as their midnight."""
    texts, misfits = _stamps(values)
    offset = texts.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    if offset.null_count() > texts.null_count():
        plain = texts.str.replace(" ", "T", literal=True)
        for form in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"):
            tried = plain.str.to_datetime(form, strict=False, time_unit="us").dt.replace_time_zone("UTC")
            offset = offset.fill_null(tried)
        minutes = plain.str.to_datetime("%Y-%m-%dT%H:%M%#z", strict=False, time_unit="us", time_zone="UTC")
        offset = offset.fill_null(minutes)
        whole_days = _dates(texts.to_list())[0].cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        short = texts.str.len_chars() <= 10
        offset = pl.select(pl.when(offset.is_null() & short).then(whole_days).otherwise(offset)).to_series()
    return _parsed(texts, offset, misfits)


def _stamps(values: Sequence[Any]) -> Converted:
    """Cells that should be stamps, as texts; Parquet may hold them as dates already."""
    if set(map(type, values)) <= {str, _NOTHING}:
        return _texts(values)
    written = [value.isoformat() if hasattr(value, "isoformat") else value for value in values]
    strange = pl.Series(
        [value is not None and not isinstance(value, str) for value in written], dtype=pl.Boolean
    )
    return _texts([None if bad else value for value, bad in zip(written, strange, strict=True)])[0], strange


def _integers(values: Sequence[Any]) -> Converted:
    texts, misfits = _texts([int(v) if isinstance(v, float) and v.is_integer() else v for v in values])
    return _parsed(texts, texts.str.to_integer(strict=False, dtype=pl.Int64), misfits)


def _booleans(values: Sequence[Any]) -> Converted:
    texts, misfits = _texts([str(value).lower() if isinstance(value, bool) else value for value in values])
    words = {
        "true": True,
        "false": False,
        "1": True,
        "0": False,
        "yes": True,
        "no": False,
        "y": True,
        "n": False,
    }
    lowered = texts.str.to_lowercase()
    return _parsed(texts, lowered.replace_strict(words, default=None, return_dtype=pl.Boolean), misfits)


def _parsed(texts: pl.Series, parsed: pl.Series, misfits: pl.Series | None) -> Converted:
    unparsed = texts.is_not_null() & parsed.is_null()
    return parsed, unparsed if misfits is None else unparsed | misfits


_TYPED: dict[str, Callable[[Sequence[Any]], Converted]] = {
    "text": _texts,
    "list": _lists,
    "date": _dates,
    "moment": _moments,
    "integer": _integers,
    "boolean": _booleans,
}
_MEANING = {
    "text": "a text or a number",
    "list": "a list of texts",
    "date": "a date (YYYY-MM-DD)",
    "moment": "a moment (YYYY-MM-DDThh:mm:ss, with or without an offset)",
    "integer": "a whole number",
    "boolean": "true or false",
}
