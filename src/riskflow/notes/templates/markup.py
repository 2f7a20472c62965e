"""Markup {{KIND:value}}: labelled text that a person can write by hand, and its spans.

`Seen by Dr. {{NAME:Ana Ruiz}} on {{DATE:3/4/2021}}.` Kinds are those of `redact.spans.KINDS`, in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from riskflow.errors import RiskflowError
from riskflow.notes.redact.spans import KINDS

MARK = re.compile(r"\{\{([A-Za-z_]+):(.*?)\}\}", re.DOTALL)


@dataclass(frozen=True)
class Segment:
    """A piece of text; `kind` is None for text that is no identifier."""

    text: str
    kind: str | None = None


@dataclass(frozen=True)
class Labelled:
    """A text and its identifiers as (start, end, kind) in code points."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


def segments(markup: str) -> Iterator[Segment]:
    """Yield the pieces of a marked-up text; an unknown kind is a RiskflowError."""
    position = 0
    for mark in MARK.finditer(markup):
        if mark.start() > position:
            yield Segment(markup[position : mark.start()])
        yield Segment(mark[2], known_kind(mark[1]))
        position = mark.end()
    if position < len(markup):
        yield Segment(markup[position:])


def labelled(pieces: Iterable[Segment]) -> Labelled:
    """Return the text of the pieces with the offsets of those that have a kind; empty values leave no span."""
    texts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    length = 0
    for piece in pieces:
        texts.append(piece.text)
        if piece.kind is not None and piece.text:
            spans.append((length, length + len(piece.text), piece.kind))
        length += len(piece.text)
    return Labelled("".join(texts), tuple(spans))


def parse(markup: str) -> Labelled:
    """Return text and spans of a marked-up text."""
    return labelled(segments(markup))


def render(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Return the text with its spans marked up: the inverse of `parse`."""
    pieces: list[str] = []
    position = 0
    for start, end, kind in sorted(spans):
        pieces += [text[position:start], "{{", kind, ":", text[start:end], "}}"]
        position = end
    return "".join([*pieces, text[position:]])


def known_kind(kind: str) -> str:
    """Return the kind in its canonical spelling, or raise a RiskflowError that lists the kinds."""
    if kind.upper() not in KINDS:
        raise RiskflowError("a label is of no known kind of identifier", f"kinds are: {', '.join(KINDS)}")
    return kind.upper()
