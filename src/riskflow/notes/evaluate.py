"""Measure a detector or redactor on labelled text: precision, recall and F2 per kind, over-redaction, misses by hash.

A labelled set is JSON lines, each with `text` and `spans` [{start, end, kind}], or with `text` (or `markup`)
in which identifiers are marked up {{KIND:value}}. Definitions:

- recall of a kind: its spans of which every letter and digit is covered by found spans of any kind. What is half
  covered is a miss: half a name is still a name.
- precision of a kind: found spans of the kind that touch a true span of any kind.
- F2: weighs recall four times as much as precision (van Rijsbergen's F with β = 2).
- over-redaction: share of the words outside true spans that found spans touch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from riskflow.contracts.notes_evaluation import ALL as ALL
from riskflow.errors import RiskflowError
from riskflow.notes.redact.spans import KINDS, Detection, Detector, span_frame
from riskflow.notes.templates.markup import Labelled, known_kind, parse


@dataclass(frozen=True)
class Evaluation:
    """Scores per kind, misses, the share of other words that are redacted, and how many texts were withheld.

    `scores` has the columns of the SCORES contract but system and over_redaction.

    `misses` has id, start, end, kind, sha256 (of the missed value); the value itself only when asked for.
    """

    scores: pl.DataFrame
    misses: pl.DataFrame
    over_redaction: float
    texts: int
    withheld: int


def read_labelled(path: Path) -> list[tuple[str, Labelled]]:
    """Return (id, labelled text) of every line; a line that is wrong is a RiskflowError with its number."""
    found: list[tuple[str, Labelled]] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                found.append(_labelled_line(line, number, path.name))
    if not found:
        raise RiskflowError(
            f"{path.name}: the labelled set is empty", 'each line is {"text": …, "spans": […]}'
        )
    return found


def evaluate(
    labelled: Sequence[tuple[str, Labelled]], detector: Detector, show_text: bool = False
) -> Evaluation:
    """Return how well a detector finds the spans of labelled texts. A text that it withholds counts as found."""
    return compare(labelled, detector.detect([item.text for _, item in labelled]), show_text)


def compare(
    labelled: Sequence[tuple[str, Labelled]], detection: Detection, show_text: bool = False
) -> Evaluation:
    """Return how well found spans cover the true ones; `text_id` is the position in `labelled`."""
    read = [place for place in range(len(labelled)) if place not in detection.failed]
    truth = _truth_frame(labelled, read)
    found = detection.spans.filter(~pl.col("text_id").is_in(list(detection.failed)))
    ranges: dict[int, list[tuple[int, int]]] = {}
    for text_id, start, end in (
        found.select("text_id", "start", "end").sort("text_id", "start", "end").iter_rows()
    ):
        ranges.setdefault(text_id, []).append((start, end))
    marked = truth.with_columns(pl.Series("cover", _covers(truth, labelled, ranges), dtype=pl.String))
    right = found.join(truth.select("text_id", true_start="start", true_end="end"), on="text_id").filter(
        (pl.col("true_start") < pl.col("end")) & (pl.col("true_end") > pl.col("start"))
    )
    scores = _scores(marked, found, right.unique(subset=["text_id", "start", "end", "kind"]))
    misses = _misses(marked.filter(pl.col("cover") != "whole"), labelled, show_text)
    return Evaluation(
        scores, misses, _over_redaction(labelled, read, ranges), len(labelled), len(detection.failed)
    )


def _labelled_line(line: bytes, number: int, name: str) -> tuple[str, Labelled]:
    hint = (
        'a line is {"text": …, "spans": [{"start": 0, "end": 4, "kind": "NAME"}]} or {"markup": "{{NAME:…}}"}'
    )
    try:
        row = orjson.loads(line)
        text = row.get("markup", row.get("text"))
        item = (
            Labelled(text, _checked_spans(row["spans"], text))
            if row.get("spans") is not None
            else parse(text)
        )
    except RiskflowError as error:
        raise RiskflowError(f"{name}, line {number}: {error.message}", error.hint) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise RiskflowError(f"{name}, line {number} is not a labelled text", hint) from None
    return str(row.get("id", number)), item


def _checked_spans(spans: list[dict[str, Any]], text: str) -> tuple[tuple[int, int, str], ...]:
    checked = tuple((int(s["start"]), int(s["end"]), known_kind(s["kind"])) for s in spans)
    if any(not 0 <= start < end <= len(text) for start, end, _ in checked):
        raise RiskflowError(
            "a span lies outside its text", "start and end count code points; end is the first one after"
        )
    return checked


def _truth_frame(labelled: Sequence[tuple[str, Labelled]], read: list[int]) -> pl.DataFrame:
    rows = [(place, s, e, kind, "truth") for place in read for s, e, kind in labelled[place][1].spans]
    return span_frame(rows)


def _covers(
    truth: pl.DataFrame, labelled: Sequence[tuple[str, Labelled]], ranges: dict[int, list[tuple[int, int]]]
) -> list[str]:
    """Say of every true span whether found spans cover it `whole`, in `part`, or not (`none`)."""
    covers = []
    for text_id, start, end in truth.select("text_id", "start", "end").iter_rows():
        text, near = (
            labelled[text_id][1].text,
            [r for r in ranges.get(text_id, []) if r[0] < end and r[1] > start],
        )
        open_places = [
            i for i in range(start, end) if text[i].isalnum() and not any(s <= i < e for s, e in near)
        ]
        covers.append("none" if not near else "part" if open_places else "whole")
    return covers


def _scores(marked: pl.DataFrame, found: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    order = pl.DataFrame({"kind": [*KINDS, ALL]})
    truth = _both(marked).agg(
        true_spans=pl.len(),
        found_whole=(pl.col("cover") == "whole").sum(),
        found_in_part=(pl.col("cover") == "part").sum(),
    )
    table = order.join(truth, on="kind", how="left", maintain_order="left")
    table = table.join(_both(found).agg(predicted=pl.len()), on="kind", how="left", maintain_order="left")
    table = table.join(
        _both(right).agg(predicted_right=pl.len()), on="kind", how="left", maintain_order="left"
    )
    counts = ["true_spans", "found_whole", "found_in_part", "predicted", "predicted_right"]
    table = table.with_columns(pl.col(counts).fill_null(0).cast(pl.Int64)).with_columns(
        recall=_ratio("found_whole", "true_spans"), precision=_ratio("predicted_right", "predicted")
    )
    p, r = pl.col("precision"), pl.col("recall")
    f2 = (
        pl.when(4 * p + r > 0).then(5 * p * r / (4 * p + r)).when(p.is_not_null() & r.is_not_null()).then(0.0)
    )
    present = (pl.col("true_spans") > 0) | (pl.col("predicted") > 0) | (pl.col("kind") == ALL)
    return table.with_columns(f2=f2.cast(pl.Float64)).filter(present).sort("kind")


def _both(frame: pl.DataFrame) -> Any:
    """Group by kind, every row also counted under ALL."""
    everything = frame.with_columns(pl.lit(ALL).alias("kind"))
    return pl.concat([frame, everything]).group_by("kind")


def _ratio(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))


def _misses(missed: pl.DataFrame, labelled: Sequence[tuple[str, Labelled]], show_text: bool) -> pl.DataFrame:
    values = [labelled[i][1].text[s:e] for i, s, e in missed.select("text_id", "start", "end").iter_rows()]
    columns = {
        "id": pl.Series([labelled[i][0] for i in missed["text_id"]], dtype=pl.String),
        "start": missed["start"],
        "end": missed["end"],
        "kind": missed["kind"],
        "sha256": pl.Series([hashlib.sha256(v.encode()).hexdigest() for v in values], dtype=pl.String),
    }
    if show_text:
        columns["text"] = pl.Series(values, dtype=pl.String)
    return pl.DataFrame(columns)


def _over_redaction(
    labelled: Sequence[tuple[str, Labelled]], read: list[int], ranges: dict[int, list[tuple[int, int]]]
) -> float:
    """Share of the words that touch no true span but a found one."""
    words = touched = 0
    for place in read:
        item = labelled[place][1]
        inside, redacted = _mask(item.text, item.spans), _mask(item.text, ranges.get(place, []))
        for start, end in _words(item.text):
            if not any(inside[start:end]):
                words += 1
                touched += any(redacted[start:end])
    return touched / words if words else 0.0


def _mask(text: str, spans: Sequence[tuple[int, ...] | tuple[int, int, str]]) -> bytearray:
    mask = bytearray(len(text))
    for start, end, *_ in spans:
        mask[int(start) : int(end)] = b"\x01" * (int(end) - int(start))
    return mask


def _words(text: str) -> list[tuple[int, int]]:
    words, start = [], -1
    for place, character in enumerate(f"{text} "):
        if character.isalnum():
            start = place if start < 0 else start
        elif start >= 0:
            words.append((start, place))
            start = -1
    return words
