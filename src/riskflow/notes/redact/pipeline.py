"""Redaction of a set of notes: detect in unique texts, merge per note, replace, look again, audit. Fails closed.

A note comes out `redacted`, or `withheld` with a reason and without text. There is no third way.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from riskflow.notes.audit import audit_rows
from riskflow.notes.policy import Policy, TermDetector
from riskflow.notes.redact.cache import SpanCache
from riskflow.notes.redact.detectors import rule_detector, sparing_detector
from riskflow.notes.redact.known import detect_known
from riskflow.notes.redact.name_rules import extend_names
from riskflow.notes.redact.replace import MARKER, Replacement, marker, replaced, replacement
from riskflow.notes.redact.spans import (
    KINDS,
    SPAN_SCHEMA,
    Detection,
    Detector,
    empty_spans,
    merge_spans,
    span_frame,
)

log = logging.getLogger(__name__)

MOST_ROUNDS = 4
"""Looks at the redacted text before it is withheld as unstable; one more find nothing in all but odd texts."""

_MARKERS = {kind: marker(kind) for kind in KINDS}

REDACTED_SCHEMA: dict[str, type[pl.DataType]] = {
    "note_id": pl.String,
    "patient_id": pl.String,
    "status": pl.String,
    "reason": pl.String,
    "text": pl.String,
    "spans": pl.UInt32,
}


@dataclass(frozen=True)
class Redacted:
    """Redacted notes (one row per note, in the order of the input), the audit of every span, and counts."""

    notes: pl.DataFrame
    audit: pl.DataFrame
    counts: dict[str, int] = field(default_factory=dict)


def redact(
    notes: pl.DataFrame,
    identifiers: pl.DataFrame,
    policy: Policy,
    key: bytes,
    detectors: Sequence[Detector] = (),
    cache: SpanCache | None = None,
) -> Redacted:
    """Redact notes.

    `notes`: note_id, patient_id, text (no nulls). `identifiers`: see `known.record_identifiers`. `detectors`:
    what reads beside rules and the policy's terms, that is the NER model. Every note is in the result once.
    """
    rows = notes.select("note_id", "patient_id", "text").with_row_index("row")
    texts = rows["text"].unique(maintain_order=True)
    by_rule: list[Detector] = [
        rule_detector(),
        *([TermDetector(policy)] if policy.allow or policy.deny else []),
    ]
    found, read = _detected(texts.to_list(), (*by_rule, *detectors), cache)
    spans = _per_note(rows, texts, extend_names(texts, found.spans))
    own = detect_known(rows, identifiers)
    merged = merge_spans(pl.concat([spans, own, _markers(rows["text"])]))
    settled, unstable = _settled(rows, merged, by_rule if len(by_rule) > 1 else [sparing_detector()], cache)
    failed = _failed_rows(rows, texts, found.failed) | dict.fromkeys(unstable, "redaction does not settle")
    outcome = _outcome(rows, settled, failed, policy, key)
    shown = settled.filter(~pl.col("text_id").is_in(list(failed)))
    audit = audit_rows(rows, shown, key, detectors)
    counts = _counts(outcome, audit) | {"unique_texts": len(texts), "texts_read": read}
    return Redacted(outcome, audit, counts)


def _detected(
    texts: Sequence[str], detectors: Sequence[Detector], cache: SpanCache | None
) -> tuple[Detection, int]:
    frames, failed, read = [empty_spans()], dict[int, str](), 0
    for detector in detectors:
        guarded = _Guarded(detector)
        detection, new = cache.detect(texts, guarded) if cache else (guarded.detect(texts), len(texts))
        frames.append(detection.spans.select(list(SPAN_SCHEMA)))
        failed |= detection.failed
        read = max(read, new)
    return Detection(pl.concat(frames), failed), read


@dataclass(frozen=True)
class _Guarded:
    """A detector whose failure over many texts is narrowed down to the texts that it cannot read."""

    inner: Detector

    @property
    def version(self) -> str:
        return self.inner.version

    def detect(self, texts: Sequence[str]) -> Detection:
        try:
            return self.inner.detect(texts)
        except Exception as error:
            log.warning("%s failed on %d texts (%s)", self.version, len(texts), type(error).__name__)
            if len(texts) <= 1:
                return Detection(
                    empty_spans(), {i: f"detector failed: {type(error).__name__}" for i in range(len(texts))}
                )
        middle = len(texts) // 2
        first, second = self.detect(texts[:middle]), self.detect(texts[middle:])
        moved = second.spans.with_columns(pl.col("text_id") + pl.lit(middle, dtype=pl.UInt32))
        failed = first.failed | {i + middle: reason for i, reason in second.failed.items()}
        return Detection(pl.concat([first.spans, moved]), failed)


def _per_note(rows: pl.DataFrame, texts: pl.Series, spans: pl.DataFrame) -> pl.DataFrame:
    """Give the spans of a text to every note that has this text; `text_id` becomes the row of the note."""
    ids = texts.to_frame("text").with_row_index("text_id").with_columns(pl.col("text_id").cast(pl.UInt32))
    notes = rows.select("row", "text").join(ids, on="text").select("row", "text_id")
    return (
        notes.join(spans, on="text_id")
        .select(pl.col("row").cast(pl.UInt32).alias("text_id"), "start", "end", "kind", "source")
        .select(list(SPAN_SCHEMA))
    )


def _failed_rows(rows: pl.DataFrame, texts: pl.Series, failed: dict[int, str]) -> dict[int, str]:
    if not failed:
        return {}
    reasons = {texts[text_id]: reason for text_id, reason in failed.items()}
    hit = rows.filter(pl.col("text").is_in(list(reasons)))
    return {row: reasons[text] for row, text in hit.select("row", "text").iter_rows()}


def _markers(texts: pl.Series) -> pl.DataFrame:
    """Markers that stand in the texts already: what is inside one is not redacted again."""
    hits = texts.str.contains(r"\[[A-Z]+[\]:]").arg_true()
    return span_frame(
        (row, *match.span(), "KEEP", "marker:own")
        for row, text in zip(hits.to_list(), texts.gather(hits).to_list(), strict=True)
        for match in MARKER.finditer(text)
    )


def _settled(
    rows: pl.DataFrame, spans: pl.DataFrame, detectors: Sequence[Detector], cache: SpanCache | None
) -> tuple[pl.DataFrame, set[int]]:
    """Look at the redacted texts again with the rules until nothing more is found.

    A removed name can bare a pattern that it broke (a number beside it). Returns the spans in offsets of the
    original text, and the rows that did not settle.
    """
    pending = spans["text_id"].unique()
    texts = rows["text"]
    for _ in range(MOST_ROUNDS):
        if pending.is_empty():
            return spans, set()
        more = _residual(texts, spans.filter(pl.col("text_id").is_in(pending.implode())), detectors, cache)
        pending = more["text_id"].unique()
        if not more.is_empty():
            spans = merge_spans(pl.concat([spans, more]))
    return spans, set(pending.to_list())


def _residual(
    texts: pl.Series, spans: pl.DataFrame, detectors: Sequence[Detector], cache: SpanCache | None
) -> pl.DataFrame:
    by_row = _offsets_by_row(spans)
    rows = list(by_row)
    clear = texts.gather(rows).to_list()
    marked = [replaced(text, by_row[row], _marker_alone) for row, text in zip(rows, clear, strict=True)]
    unique = pl.Series("text", marked, dtype=pl.String).unique(maintain_order=True)
    again = cache.of("redacted") if cache else None
    detected = _detected(unique.to_list(), detectors, again)[0].spans
    if detected.is_empty():
        return detected
    extended = extend_names(unique, detected)
    numbered = pl.DataFrame(
        {"row": range(len(marked)), "text": marked}, schema={"row": pl.UInt32, "text": pl.String}
    )
    found = pl.concat([_per_note(numbered, unique, extended), _markers(numbered["text"])])
    return span_frame(
        (rows[place], *_Places(by_row[rows[place]]).original(start, end), kind, source)
        for place, start, end, kind, source in merge_spans(found).iter_rows()
    )


def _marker_alone(kind: str, text: str) -> str:
    return _MARKERS[kind]


class _Places:
    """Where offsets of the marked text lie in the original text; an offset inside a marker is the span's border."""

    def __init__(self, offsets: Sequence[tuple[int, int, str]]) -> None:
        self._marked_starts: list[int] = []
        self._marked_ends: list[int] = []
        self._offsets = offsets
        drift = 0
        for start, end, kind in offsets:
            self._marked_starts.append(start + drift)
            drift += len(marker(kind)) - (end - start)
            self._marked_ends.append(end + drift)

    def original(self, start: int, end: int) -> tuple[int, int]:
        return self._one(start, at_start=True), self._one(end, at_start=False)

    def _one(self, place: int, *, at_start: bool) -> int:
        before = bisect_right(self._marked_starts, place) - 1
        if before < 0:
            return place
        start, end, _ = self._offsets[before]
        if place >= self._marked_ends[before]:
            return end + place - self._marked_ends[before]
        return start if at_start or place == self._marked_starts[before] else end


def _offsets_by_row(spans: pl.DataFrame) -> dict[int, list[tuple[int, int, str]]]:
    grouped: dict[int, list[tuple[int, int, str]]] = {}
    ordered = spans.sort("text_id", "start")
    columns = (ordered[name].to_list() for name in ("text_id", "start", "end", "kind"))
    for row, start, end, kind in zip(*columns, strict=True):
        grouped.setdefault(row, []).append((start, end, kind))
    return grouped


def _outcome(
    rows: pl.DataFrame, spans: pl.DataFrame, failed: dict[int, str], policy: Policy, key: bytes
) -> pl.DataFrame:
    by_row = _offsets_by_row(spans)
    styles: dict[str, Replacement] = {}
    patients, texts = rows["patient_id"].to_list(), rows["text"].to_list()
    new = {
        row: replaced(texts[row], offsets, _style(styles, patients[row], policy, key))
        for row, offsets in by_row.items()
        if row not in failed
    }
    changed = pl.DataFrame(
        {"row": list(new), "changed": list(new.values())},
        schema={"row": rows["row"].dtype, "changed": pl.String},
    )
    withheld = pl.DataFrame(
        {"row": list(failed), "reason": list(failed.values())},
        schema={"row": rows["row"].dtype, "reason": pl.String},
    )
    counts = spans.group_by(pl.col("text_id").cast(rows["row"].dtype).alias("row")).agg(
        pl.len().cast(pl.UInt32).alias("spans")
    )
    joined = rows
    for part in (changed, withheld, counts):
        joined = joined.join(part, on="row", how="left", maintain_order="left")
    held = pl.col("reason").is_not_null()
    return joined.select(
        pl.col("note_id").cast(pl.String),
        pl.col("patient_id").cast(pl.String),
        pl.when(held).then(pl.lit("withheld")).otherwise(pl.lit("redacted")).alias("status"),
        "reason",
        pl.when(~held).then(pl.coalesce("changed", "text")).alias("text"),
        pl.when(held).then(pl.lit(0, dtype=pl.UInt32)).otherwise(pl.col("spans").fill_null(0)).alias("spans"),
    )


def _style(styles: dict[str, Replacement], patient_id: str, policy: Policy, key: bytes) -> Replacement:
    if patient_id not in styles:
        styles[patient_id] = replacement(policy.style, policy.shift_dates, key, patient_id)
    return styles[patient_id]


def _counts(outcome: pl.DataFrame, audit: pl.DataFrame) -> dict[str, int]:
    withheld = outcome.filter(pl.col("status") == "withheld").height
    return {
        "read": outcome.height,
        "redacted": outcome.height - withheld,
        "withheld": withheld,
        "spans": audit.height,
    }
