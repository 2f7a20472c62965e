"""What every track's page is put together with, beside its blocks: counts, settings, the written page's receipt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from riskflow.receipts import Receipt
from riskflow.report.page import Page


def counted(frame: pl.DataFrame, by: str | pl.Expr) -> pl.DataFrame:
    """Return how often each value stands in a column (`len`), the most frequent first, ties by value."""
    counts = frame.group_by(by).len()
    return counts.sort(["len", counts.columns[0]], descending=[True, False])


def setting(receipts: Sequence[Receipt], key: str) -> Any:
    """Return a config value that a stage of the run has read, for example `source.kind`; None where none has."""
    found = (receipt.params.get(f"config.{key}") for receipt in receipts)
    return next((json.loads(value) for value in found if value is not None), None)


def written(page: Page, output: Path) -> Receipt:
    """Write a page to a file and return the receipt of its stage."""
    page.write(output)
    return Receipt(counts={"sections": len(page.sections)})
