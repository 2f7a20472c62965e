"""A rule: a cheap columnar test of which texts to look at, and a function that gives the offsets in them."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

import polars as pl

from riskflow.notes.redact.spans import Detection, span_frame
from riskflow.notes.redact.text import canonical_series

Offsets = Iterable[tuple[int, int]]


@dataclass(frozen=True)
class Rule:
    """Finds one kind of identifier in canonical text.

    `needs` is a pattern without look-around that polars runs over all texts; `find` gives offsets in the few
    texts that match it. `tier` is `rule` (context or checksum), `list` (membership only) or `allow`.
    """

    id: str
    kind: str
    needs: str
    find: Callable[[str], Offsets]
    tier: str = "rule"

    @property
    def source(self) -> str:
        """The source of this rule's spans."""
        return f"{self.tier}:{self.id}"


def accept_all(match: re.Match[str]) -> bool:
    """Accept every match."""
    return True


def matches(
    pattern: str, accept: Callable[[re.Match[str]], bool] = accept_all, flags: int = 0
) -> Callable[[str], Offsets]:
    """Return a finder of a pattern's group `phi`, or of the whole match where it has no such group."""
    compiled = re.compile(pattern, flags)
    group = "phi" if "phi" in compiled.groupindex else 0

    def find(text: str) -> Iterator[tuple[int, int]]:
        return (match.span(group) for match in compiled.finditer(text) if accept(match))

    return find


@dataclass(frozen=True)
class RuleDetector:
    """Runs rules over texts; one text is looked at in Python only by the rules whose `needs` it meets."""

    rules: tuple[Rule, ...]
    version: str

    def detect(self, texts: Sequence[str]) -> Detection:
        """Return the spans of all rules, unmerged; rules do not fail on a text."""
        column = canonical_series(pl.Series("text", texts, dtype=pl.String))
        return Detection(span_frame(row for rule in self.rules for row in _rows(rule, column)))


def _rows(rule: Rule, texts: pl.Series) -> Iterator[tuple[int, int, int, str, str]]:
    hits = texts.str.contains(rule.needs).arg_true()
    for text_id, text in zip(hits.to_list(), texts.gather(hits).to_list(), strict=True):
        for start, end in rule.find(text):
            yield text_id, start, end, rule.kind, rule.source


def version_of(modules: Iterable[ModuleType], *more: str) -> str:
    """Return a short digest of the modules' code and of further texts: a changed rule is another version."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(inspect.getsource(module).encode())
    for text in more:
        digest.update(text.encode())
    return digest.hexdigest()[:12]
