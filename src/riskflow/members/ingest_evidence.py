"""Validate raw diagnoses and drugs: normalise codes, quarantine what breaks a rule, lose nothing.

Rules about a code are asked once per distinct code, and rows are sorted as whole numbers: claim files are the
largest that the track reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import numpy.typing as npt
import polars as pl

from riskflow.contracts.base import Contract
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, ICD_10
from riskflow.members.ndc import ndc_11, ndc_is_ambiguous
from riskflow.members.parallel import mapped
from riskflow.members.texts import (
    Coded,
    Ints,
    alike,
    coded,
    distinct_in_order,
    joined,
    member_numbers,
    packed,
    trimmed,
)
from riskflow.pieces import columns
from riskflow.quarantine import Rule, Split, assert_conserved, joined_splits, split

PIECE_ROWS = 1 << 18
"""Rows finished at a time, where the file lies by member: their memory is used again by the next."""
UNREADABLE = "a cell is not the date (YYYY-MM-DD) or number it should be"
NO_MEMBER = "member_id is missing"
REPEATED = "the row repeats another row"
_UNKNOWN_MEMBER = "the member has no enrolment span that was kept"
Mask = npt.NDArray[np.bool_]
Raw = pl.DataFrame | Iterable[pl.DataFrame]
"""A raw table with `unreadable`, `source` and `line`, whole or in batches."""


def icd_10(raw: pl.Expr) -> pl.Expr:
    """Return the code as CMS's tables write it: upper case, no dot."""
    return raw.str.strip_chars().str.to_uppercase().str.replace_all(".", "", literal=True)


def hcpcs(raw: pl.Expr) -> pl.Expr:
    """Return the code in upper case."""
    return raw.str.strip_chars().str.to_uppercase()


def as_written(raw: pl.Expr) -> pl.Expr:
    """Return the cell as it is."""
    return raw


DIAGNOSIS_RULES = (
    Rule("diagnosis-unreadable", UNREADABLE, ~pl.col("unreadable")),
    Rule("diagnosis-member-missing", NO_MEMBER, pl.col("member_id").is_not_null()),
    Rule("diagnosis-date-missing", "service_date is missing", pl.col("service_date").is_not_null()),
    Rule("diagnosis-code-missing", "code is missing", pl.col("code").is_not_null()),
    Rule(
        "diagnosis-code-malformed",
        "code does not have the shape of an ICD-10-CM code",
        icd_10(pl.col("code")).str.contains(ICD_10),
    ),
    Rule("diagnosis-member-unknown", _UNKNOWN_MEMBER, pl.col("known")),
)
DRUG_RULES = (
    Rule("drug-unreadable", UNREADABLE, ~pl.col("unreadable")),
    Rule("drug-member-missing", NO_MEMBER, pl.col("member_id").is_not_null()),
    Rule("drug-date-missing", "service_date is missing", pl.col("service_date").is_not_null()),
    Rule(
        "drug-code-missing",
        "ndc and hcpcs are missing",
        pl.col("ndc").is_not_null() | pl.col("hcpcs").is_not_null(),
    ),
    Rule(
        "drug-ndc-ambiguous",
        "ndc has nine or ten digits and no dashes that tell its segments: more than one drug fits",
        ~ndc_is_ambiguous(pl.col("ndc")).fill_null(False),
    ),
    Rule(
        "drug-ndc-malformed",
        "ndc is not 11 digits, nor 4-4-2, 5-3-2, 5-4-1 or 5-4-2",
        pl.col("ndc").is_null() | ndc_11(pl.col("ndc")).is_not_null(),
    ),
    Rule(
        "drug-hcpcs-malformed",
        "hcpcs is not five letters or digits",
        pl.col("hcpcs").is_null() | hcpcs(pl.col("hcpcs")).str.contains(r"^[A-Z0-9]{5}$"),
    ),
    Rule("drug-member-unknown", _UNKNOWN_MEMBER, pl.col("known")),
)


@dataclass(frozen=True)
class Evidence:
    """A table of evidence: its rules, how its texts are written, in the order that they sort rows, and its contract."""

    name: str
    rules: Sequence[Rule]
    texts: Mapping[str, Callable[[pl.Expr], pl.Expr]]
    contract: Contract


_DIAGNOSES = Evidence(
    "diagnosis",
    DIAGNOSIS_RULES,
    {"code": icd_10, "bill_type": as_written, "procedure": as_written, "claim_kind": as_written},
    DIAGNOSES,
)
_DRUGS = Evidence("drug", DRUG_RULES, {"ndc": ndc_11, "hcpcs": hcpcs}, DRUGS)


def validated_diagnoses(raw: Raw, spans: pl.DataFrame, *, keep_row: bool = False) -> Split:
    """Return the diagnoses of members with a span in the DIAGNOSES contract, and the quarantine."""
    return joined_splits(diagnoses_by_piece(raw, spans, keep_row=keep_row))


def validated_drugs(raw: Raw, spans: pl.DataFrame, *, keep_row: bool = False) -> Split:
    """Return the drugs of members with a span in the DRUGS contract, NDCs as 11 digits, and the quarantine."""
    return joined_splits(drugs_by_piece(raw, spans, keep_row=keep_row))


def diagnoses_by_piece(raw: Raw, spans: pl.DataFrame, *, keep_row: bool = False) -> Iterator[Split]:
    """Yield what `validated_diagnoses` returns piece by piece, in the order of its key."""
    return _by_piece(raw, spans, _DIAGNOSES, keep_row)


def drugs_by_piece(raw: Raw, spans: pl.DataFrame, *, keep_row: bool = False) -> Iterator[Split]:
    """Yield what `validated_drugs` returns piece by piece, in the order of its key."""
    return _by_piece(raw, spans, _DRUGS, keep_row)


@dataclass(frozen=True)
class Rows:
    """Good rows as numbers: place of the member, day since 1970, source line, and the places of their texts."""

    member: Ints
    day: Ints
    line: Ints
    texts: Mapping[str, Coded]

    def chosen(self, rows: Ints) -> Rows:
        """Return some of the rows."""
        texts = {name: column.chosen(rows) for name, column in self.texts.items()}
        return Rows(self.member[rows], self.day[rows], self.line[rows], texts)

    def between(self, start: int, stop: int) -> Rows:
        """Return the rows from `start` to before `stop`, not copied."""
        texts = {name: column.between(start, stop) for name, column in self.texts.items()}
        return Rows(self.member[start:stop], self.day[start:stop], self.line[start:stop], texts)

    def key(self) -> Ints:
        """Return a number per row that sorts as member, date and texts do."""
        present = [column.place for column in self.texts.values() if not column.texts.is_empty()]
        return packed([self.member, self.day, *present])


@dataclass(frozen=True)
class Batch:
    """What became of some raw rows."""

    read: int
    source: str
    good: Rows
    quarantined: pl.DataFrame


def _by_piece(raw: Raw, spans: pl.DataFrame, kind: Evidence, keep_row: bool) -> Iterator[Split]:
    """Yield the rows that break a rule by themselves, then the others by member."""
    members = distinct_in_order(spans["member_id"])
    checked = partial(_checked, members=members, kind=kind, keep_row=keep_row)
    batches = list(mapped(checked, [raw] if isinstance(raw, pl.DataFrame) else raw))
    read = sum(batch.read for batch in batches)
    source = next((batch.source for batch in batches if batch.read), "")
    broken = pl.concat([batch.quarantined for batch in batches])
    pieces = _apart(_alike([batch.good for batch in batches], kind))
    del batches
    finished = partial(_finished, members=members, kind=kind, source=source, keep_row=keep_row)
    kept = quarantined = 0
    for part in chain([Split(kind.contract.empty(), broken)], mapped(finished, pieces)):
        kept, quarantined = kept + part.kept.height, quarantined + part.quarantined.height
        yield part
    assert_conserved(read, kept, quarantined)


def _checked(raw: pl.DataFrame, members: pl.Series, kind: Evidence, keep_row: bool) -> Batch:
    """Return the good rows of a batch, and the quarantine of the others.

    Most files have no white space to trim: their distinct texts are asked, and the ids of members that change.
    """
    member = member_numbers(raw["member_id"], members, trimmed)
    cells = {name: coded(raw[name]) for name in kind.texts}
    untidy = [name for name, column in cells.items() if not column.is_trimmed()]
    if untidy:
        raw = raw.with_columns(trimmed(pl.col(untidy)))
        cells |= {name: coded(raw[name]) for name in untidy}
    known = raw.hstack([pl.Series("known", member >= 0)])
    good = _passing(known, kind.rules, cells)
    bad = (known.clear() if good.all() else known.filter(~good)).with_columns(trimmed(pl.col("member_id")))
    broken = split(bad, kind.rules, keep_row=keep_row)
    texts = {name: cells[name].ranked(clean) for name, clean in kind.texts.items()}
    day = raw["service_date"].cast(pl.Int32).fill_null(0).to_numpy()
    rows = Rows(member, day, raw["line"].to_numpy(), texts)
    ordered, _ = _in_order(rows if good.all() else rows.chosen(np.flatnonzero(good)))
    return Batch(raw.height, str(raw["source"][0]) if raw.height else "", ordered, broken.quarantined)


def _passing(frame: pl.DataFrame, rules: Sequence[Rule], cells: Mapping[str, Coded]) -> Mask:
    """Return which rows pass all rules; a rule about one text column is asked once per distinct text."""
    good = np.ones(frame.height, np.bool_)
    for rule in rules:
        about = rule.passes.meta.root_names()
        if set(about) <= set(cells) and len(set(about)) == 1:
            good &= cells[about[0]].asked(rule.passes)
        else:
            asked = columns(frame, list(dict.fromkeys(about)))
            passing = asked.select(rule.passes.fill_null(False)).to_series()
            if not passing.all():
                good &= passing.to_numpy()
    return good


def _alike(parts: Sequence[Rows], kind: Evidence) -> list[Rows]:
    """Return the parts with the same texts, so that the places of one part's texts compare with another's."""
    texts = {name: alike([part.texts[name] for part in parts]) for name in kind.texts}
    return [
        replace(part, texts={name: columns[number] for name, columns in texts.items()})
        for number, part in enumerate(parts)
    ]


def _apart(parts: Sequence[Rows]) -> list[Rows]:
    """Return the rows in pieces without a member in common, so that each can be finished for itself.

    The parts, each by member, become pieces as they are where the file lies by member: only the members that one
    part ends and the next begins with are taken out. Of any other file the rows are one piece.
    """
    pieces: list[Rows] = []
    shared: list[Rows] = []  # rows of one member, from the end of a part and the beginning of the next
    for part in parts:
        if not len(part.member):
            continue
        begin, last = 0, part.member[-1]
        if shared:
            before = shared[0].member[0]
            if part.member[0] < before:
                return [_together(parts)]
            begin = int(np.searchsorted(part.member, before, side="right"))
            shared.append(part.between(0, begin))
        if begin < len(part.member):
            end = int(np.searchsorted(part.member, last, side="left"))
            pieces += [_together(shared)] if shared else []
            pieces += _cut(part.between(begin, end))
            shared = [part.between(end, len(part.member))]
    return [*pieces, _together(shared or parts)]


def _cut(rows: Rows) -> Iterator[Rows]:
    """Yield rows, which are by member, about PIECE_ROWS at a time; those of a member stay together."""
    start = 0
    while len(rows.member) - start > PIECE_ROWS:
        stop = int(np.searchsorted(rows.member, rows.member[start + PIECE_ROWS], side="right"))
        yield rows.between(start, stop)
        start = stop
    if start < len(rows.member):
        yield rows.between(start, len(rows.member))


def _together(parts: Sequence[Rows]) -> Rows:
    """Return the rows of parts that have the same texts, one after another."""
    return Rows(
        np.concatenate([part.member for part in parts]),
        np.concatenate([part.day for part in parts]),
        np.concatenate([part.line for part in parts]),
        {name: joined([part.texts[name] for part in parts]) for name in parts[0].texts},
    )


def _finished(rows: Rows, members: pl.Series, kind: Evidence, source: str, keep_row: bool) -> Split:
    """Return all rows of some members in the contract's columns and order, and those that repeat another."""
    ordered, repeats = _in_order(rows)
    again = _columns(ordered.chosen(np.flatnonzero(repeats)), members).with_columns(
        pl.lit(source).alias("source"), pl.lit(True).alias("repeats")
    )
    rule = Rule(f"{kind.name}-repeated", REPEATED, ~pl.col("repeats"))
    kept = _kept(ordered.chosen(np.flatnonzero(~repeats)) if repeats.any() else ordered, members, kind)
    return Split(kept, split(again, [rule], keep_row=keep_row).quarantined)


def _in_order(rows: Rows) -> tuple[Rows, Mask]:
    """Return the rows by member, date and texts, and which of them repeat the one before.

    Batches are brought in order one by one: those of a file that lies by member are then in order together.
    """
    key = rows.key()
    if (key[1:] < key[:-1]).any():
        order = np.argsort(key, kind="stable")
        rows, key = rows.chosen(order), key[order]
    repeats = np.zeros(len(key), np.bool_)
    repeats[1:] = key[1:] == key[:-1]
    return rows, repeats


def _columns(rows: Rows, members: pl.Series) -> pl.DataFrame:
    return pl.DataFrame(
        [
            members.gather(pl.Series(rows.member)).alias("member_id"),
            pl.Series("service_date", rows.day).cast(pl.Date),
            *(column.column().alias(name) for name, column in rows.texts.items() if len(column.texts)),
            pl.Series("line", rows.line),
        ]
    ).with_columns(
        pl.lit(None, pl.String).alias(n) for n, column in rows.texts.items() if not len(column.texts)
    )


def _kept(rows: Rows, members: pl.Series, kind: Evidence) -> pl.DataFrame:
    """Return the rows in the contract's columns, numbered within each member."""
    begins = np.flatnonzero(np.diff(rows.member, prepend=-1))
    first = np.repeat(begins.astype(np.int32), np.diff(begins, append=len(rows.member)))
    number = np.arange(1, len(first) + 1, dtype=np.int32) - first
    numbered = _columns(rows, members).with_columns(pl.Series(f"{kind.name}_id", number, pl.Int32))
    return numbered.select(list(kind.contract.schema))
