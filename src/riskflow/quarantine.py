"""Rows that break a rule go to quarantine with the rule's id, the source and the line: nothing is lost silently."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from riskflow.contracts.base import Contract, at_least, column, not_empty
from riskflow.errors import RiskflowError

QUARANTINE = Contract(
    name="quarantine",
    version=1,
    title="One row per source row that broke a rule",
    key=("source", "line", "rule_id"),
    columns={
        "rule_id": column(pl.String, "Id of the first rule that the row broke", not_empty()),
        "source": column(pl.String, "Source file or table", not_empty()),
        "line": column(pl.Int64, "1-based line or row number in the source", at_least(0)),
        "reason": column(pl.String, "What the rule says, in words; never a cell value", not_empty()),
        "row": column(
            pl.String, "The row as JSON, or null where it may hold health information", nullable=True
        ),
    },
)


@dataclass(frozen=True)
class Rule:
    """A named rule of a source table; `passes` is true for good rows (null counts as broken)."""

    id: str
    sentence: str
    passes: pl.Expr


@dataclass(frozen=True)
class Split:
    """Rows kept and rows quarantined (in the QUARANTINE contract's columns)."""

    kept: pl.DataFrame
    quarantined: pl.DataFrame


def joined_splits(parts: Iterable[Split]) -> Split:
    """Return the rows of several splits, one after another."""
    parts = list(parts)
    return Split(pl.concat([part.kept for part in parts]), pl.concat([part.quarantined for part in parts]))


def split(
    frame: pl.DataFrame,
    rules: Sequence[Rule],
    *,
    line: str = "line",
    source: str = "source",
    keep_row: bool = True,
) -> Split:
    """Return the rows that pass every rule and the others, each under the first rule that it broke.

    The frame needs the columns named by `line` and `source`. `keep_row=False` leaves the row's text out,
    for tables that hold health information. Kept + quarantined = read, or a RiskflowError is raised.
    """
    first_broken = pl.coalesce(
        *[pl.when(~rule.passes.fill_null(False)).then(pl.lit(rule.id)) for rule in rules],
        pl.lit(None, pl.String),
    )
    marked = frame.with_columns(first_broken.alias("__rule"))
    kept = marked.filter(pl.col("__rule").is_null()).drop("__rule")
    quarantined = _quarantine_rows(
        marked.filter(pl.col("__rule").is_not_null()), rules, line, source, keep_row
    )
    assert_conserved(frame.height, kept.height, quarantined.height)
    return Split(kept, quarantined)


def _quarantine_rows(
    broken: pl.DataFrame, rules: Sequence[Rule], line: str, source: str, keep_row: bool
) -> pl.DataFrame:
    cells = [name for name in broken.columns if name not in {"__rule", line, source}]
    row = pl.struct(cells).struct.json_encode() if keep_row and cells else pl.lit(None, pl.String)
    sentences = {rule.id: rule.sentence for rule in rules}
    return broken.select(
        pl.col("__rule").alias("rule_id"),
        pl.col(source).cast(pl.String).alias("source"),
        pl.col(line).cast(pl.Int64).alias("line"),
        pl.col("__rule").replace_strict(sentences, return_dtype=pl.String).alias("reason"),
        row.alias("row"),
    )


def assert_conserved(read: int, kept: int, quarantined: int, what: str = "rows") -> None:
    """Raise unless read = kept + quarantined."""
    if read != kept + quarantined:
        raise RiskflowError(
            f"{what} were lost: {read} read, {kept} kept, {quarantined} quarantined",
            "this is a fault of riskflow, not of your data: please report it with the receipt",
        )


def assert_share(quarantined: int, read: int, limit: float, what: str, key: str) -> None:
    """Raise when more than `limit` (0..1) of the rows of `what` went to quarantine; `key` is the config key."""
    if read and quarantined / read > limit:
        raise RiskflowError(
            f"{what}: {quarantined} of {read} rows went to quarantine ({quarantined / read:.1%}), "
            f"more than {key} = {limit:g} allows",
            f"look at the quarantine file for the rules they broke; mend the source, or raise {key}",
        )
