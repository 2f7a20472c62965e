"""Spans: what every detector returns, the order in which detectors are believed, and the merge.

A span is a half-open range of Python `str` offsets (code points) in one text, with a kind of identifier and
the rule or model version that found it. It never holds the text itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from riskflow.contracts.notes_redacted import KINDS as KINDS

SPECIFIC_FIRST = (
    *("FAX", "NPI", "SSN", "MRN", "PLAN", "ACCOUNT", "LICENSE", "VEHICLE", "DEVICE", "BIOMETRIC", "PHOTO"),
    *("EMAIL", "URL", "IP", "PHONE", "DATE", "AGE", "GEO", "NAME", "ID"),
)
"""Kinds, those first that say most: what a number is called counts more than what it looks like."""

KEEP = "KEEP"
"""Kind of a span that protects clinical text (an eponym, a drug) from the weaker detectors."""

TIERS = ("marker", "known", "deny", "exempt", "rule", "allow", "list", "ner")
"""Order of belief, by the word before the colon of a source.

`marker`: a marker that stands in the text already; `known`: the record's own identifiers; `deny`, `exempt`: the
policy's lists of terms; `rule`: context or checksum; `allow`: clinical terms; `list`: membership of a list alone;
`ner`: the model. Spans of `marker`, `exempt` and
`allow` are no findings: they protect from the tiers after them.
"""
PROTECTORS = ("marker", "exempt", "allow")

SPAN_SCHEMA: dict[str, type[pl.DataType]] = {
    "text_id": pl.UInt32,
    "start": pl.UInt32,
    "end": pl.UInt32,
    "kind": pl.String,
    "source": pl.String,
}


@dataclass(frozen=True)
class Detection:
    """What a detector found in a list of texts: spans by position in the list, and texts it could not read.

    `failed` maps the position of a text to a short reason that never quotes the text.
    """

    spans: pl.DataFrame
    failed: dict[int, str] = field(default_factory=dict)


class Detector(Protocol):
    """Finds identifiers in texts; `version` names rules or model exactly, since it keys the cache and the audit."""

    @property
    def version(self) -> str:
        """Name and version, for example `ner:en_riskflow@1.0-3f2a`; the tier before the colon is its source."""
        ...

    def detect(self, texts: Sequence[str]) -> Detection:
        """Return the spans of every text, `text_id` being its position in `texts`."""
        ...


def empty_spans() -> pl.DataFrame:
    """Return a span frame without rows."""
    return pl.DataFrame(schema=SPAN_SCHEMA)


def span_frame(rows: Iterable[tuple[int, int, int, str, str]]) -> pl.DataFrame:
    """Return a span frame of (text_id, start, end, kind, source) rows."""
    columns = list(zip(*rows, strict=True)) or [()] * len(SPAN_SCHEMA)
    return pl.DataFrame(
        [
            pl.Series(name, values, dtype)
            for (name, dtype), values in zip(SPAN_SCHEMA.items(), columns, strict=True)
        ]
    )


def tier(source: str = "source") -> pl.Expr:
    """Rank of a source's tier, 0 the most believed; a source of an unknown tier ranks with `rule`."""
    word = pl.col(source).str.extract(r"^([^:]*)")
    return word.replace_strict(
        {name: rank for rank, name in enumerate(TIERS)}, default=2, return_dtype=pl.Int8
    )


def merge_spans(spans: pl.DataFrame) -> pl.DataFrame:
    """Return disjoint spans: every character that a believed span covers stays covered.

    1. A span that lies inside a protecting span of an earlier tier is dropped; then these are dropped.
    2. Spans that overlap become one span over all of them. Its kind and source are those of the longest
       member; of equally long ones that of the
       most believed tier, then the first of `SPECIFIC_FIRST`, then the first source of the alphabet.

    Input and output columns: text_id, start, end, kind, source; the output is sorted by text_id and start.
    """
    if spans.is_empty():
        return empty_spans()
    ranked = spans.with_columns(tier().alias("tier")).filter(pl.col("end") > pl.col("start"))
    return _united(_unprotected(ranked))


def _kind_rank() -> pl.Expr:
    ranks = {kind: rank for rank, kind in enumerate(SPECIFIC_FIRST)}
    return pl.col("kind").replace_strict(ranks, default=len(ranks), return_dtype=pl.Int8).alias("kind_rank")


def _unprotected(ranked: pl.DataFrame) -> pl.DataFrame:
    protects = pl.col("tier").is_in([TIERS.index(name) for name in PROTECTORS])
    protectors, believed = ranked.filter(protects), ranked.filter(~protects)
    if protectors.is_empty():
        return believed
    shielded = (
        believed.join(protectors.select("text_id", "start", "end", "tier"), on="text_id", suffix="_by")
        .filter(
            pl.col("tier") > pl.col("tier_by"),
            pl.col("start") >= pl.col("start_by"),
            pl.col("end") <= pl.col("end_by"),
        )
        .select(believed.columns)
        .unique()
    )
    return believed.join(shielded, on=believed.columns, how="anti")


def _united(ranked: pl.DataFrame) -> pl.DataFrame:
    ordered = ranked.sort("text_id", "start", "end")
    reached = pl.col("end").cum_max().shift(1).over("text_id")
    grouped = ordered.with_columns(
        (reached.is_null() | (pl.col("start") >= reached)).cum_sum().alias("group")
    )
    winners = grouped.with_columns((pl.col("end") - pl.col("start")).alias("length"), _kind_rank()).sort(
        "group", "length", "tier", "kind_rank", "source", descending=[False, True, False, False, False]
    )
    return (
        winners.group_by("group", maintain_order=True)
        .agg(
            pl.col("text_id").first(),
            pl.col("start").min(),
            pl.col("end").max(),
            pl.col("kind").first(),
            pl.col("source").first(),
        )
        .drop("group")
        .cast(SPAN_SCHEMA)  # type: ignore[arg-type]
    )
