"""Rows as the bytes that PostgreSQL's COPY takes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import polars as pl

Item = TypeVar("Item")


def csv_bytes(frame: pl.DataFrame) -> bytes:
    """Return rows as PostgreSQL's CSV: texts quoted, nulls empty and unquoted, lists as array literals."""
    lists = [
        _array_literal(name, dtype) for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)
    ]
    buffer = io.BytesIO()
    frame.with_columns(lists).write_csv(buffer, include_header=False, quote_style="non_numeric")
    return buffer.getvalue()


def _array_literal(name: str, dtype: pl.List) -> pl.Expr:
    element = pl.element()
    if dtype.inner == pl.String:
        escaped = element.str.replace_all("\\", "\\\\", literal=True).str.replace_all(
            '"', '\\"', literal=True
        )
        element = pl.concat_str(pl.lit('"'), escaped, pl.lit('"'))
    inner = pl.col(name).list.eval(element.cast(pl.String).fill_null("NULL")).list.join(",")
    return pl.concat_str(pl.lit("{"), inner, pl.lit("}")).alias(name)


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items, making the next one in a thread while the server takes the one before."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
