"""A rule: a cheap columnar test of which texts to look at, and a function that gives the offsets in them."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import polars as pl

from riskflow.notes.redact.index import Anchor, Beside, Ints, WordIndex
from riskflow.notes.redact.spans import Detection, span_frame
from riskflow.notes.redact.text import canonical_series

Offsets = Iterable[tuple[int, int]]


@dataclass(frozen=True)
class Rule:
    """Finds one kind of identifier in canonical text.

    `needs` is a pattern without look-around that polars runs over all texts; `find` gives offsets in the few
    texts that match it. `tier` is `rule` (context or checksum), `list` (membership only) or `allow`. A text with
    fewer than `digits` digits is passed over: the rule can find nothing in it.
    """

    id: str
    kind: str
    needs: str
    find: Callable[[str], Offsets]
    tier: str = "rule"
    digits: int = 0

    @property
    def source(self) -> str:
        """The source of this rule's spans."""
        return f"{self.tier}:{self.id}"


@dataclass(frozen=True)
class WordRule:
    """Finds one kind of identifier in canonical text at certain words, which the index of words knows already.

    `anchor` says of a word whether to look there, whatever stands beside it; `find` gets a text and the offsets of
    all such words in it. `beside` leaves out those at which what stands beside the word lets `find` find nothing;
    where it says no, `find` must neither find anything nor go on otherwise for having looked there.
    """

    id: str
    kind: str
    anchor: Anchor
    find: Callable[[str, Sequence[int]], Offsets]
    tier: str = "rule"
    beside: Beside | None = None

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

    def find(text: str) -> list[tuple[int, int]]:
        return [match.span(group) for match in compiled.finditer(text) if accept(match)]

    def find_all(text: str) -> list[tuple[int, int]]:
        return [match.span(group) for match in compiled.finditer(text)]

    return find_all if accept is accept_all else find


@dataclass(frozen=True)
class RuleDetector:
    """Runs rules over texts; a text is looked at in Python only by the rules whose `needs` or `anchor` it meets."""

    rules: tuple[Rule | WordRule, ...]
    version: str
    sparing: bool = False
    """Ask the rules that protect only about texts in which another rule found something: enough without a model."""

    def detect(self, texts: Sequence[str]) -> Detection:
        """Return the spans of all rules, unmerged; rules do not fail on a text."""
        column = canonical_series(pl.Series("text", texts, dtype=pl.String))
        index, plain = WordIndex.of(column), column.to_list()
        patterns = sorted((r for r in self.rules if isinstance(r, Rule)), key=lambda rule: rule.digits)
        by_word = [rule for rule in self.rules if isinstance(rule, WordRule)]
        protecting = [rule for rule in by_word if self.sparing and rule.tier == "allow"]
        parts = [_rows(rules, column, plain, index.digits) for rules in _groups(patterns)]
        parts += [word_spans(rule, plain, index) for rule in by_word if rule not in protecting]
        rows = [row for part in parts for row in part]
        if protecting and rows:
            some = index.only({row[0] for row in rows})
            rows += [row for rule in protecting for row in word_spans(rule, plain, some)]
        return Detection(span_frame(rows))


_GROUP_RULES, _GROUP_LENGTH = 8, 1500
"""How many rules' `needs`, and of what length together, are asked at once: longer patterns are many times slower."""


def _groups(rules: Iterable[Rule]) -> list[list[Rule]]:
    """Return the rules in groups whose `needs` are asked at once first: most texts meet none of a group."""
    groups: list[list[Rule]] = [[]]
    for rule in rules:
        length = sum(len(other.needs) for other in groups[-1])
        if len(groups[-1]) == _GROUP_RULES or (groups[-1] and length + len(rule.needs) > _GROUP_LENGTH):
            groups.append([])
        groups[-1].append(rule)
    return groups if groups[0] else []


def _rows(
    rules: Sequence[Rule], texts: pl.Series, plain: Sequence[str], digits: Ints
) -> Iterator[tuple[int, int, int, str, str]]:
    asked = pl.Series(np.flatnonzero(digits >= rules[0].digits), dtype=pl.UInt32)
    pattern = "|".join(f"(?:{rule.needs})" for rule in rules)
    some = asked.filter(texts.gather(asked).str.contains(pattern))
    if some.is_empty():
        return
    fewer = texts.gather(some).to_frame()
    met = fewer.select(pl.col("text").str.contains(rule.needs).alias(rule.id) for rule in rules)
    for rule in rules:
        for text_id in some.filter(met[rule.id]).to_list():
            for start, end in rule.find(plain[text_id]):
                yield text_id, start, end, rule.kind, rule.source


def word_spans(
    rule: WordRule, plain: Sequence[str], index: WordIndex
) -> Iterator[tuple[int, int, int, str, str]]:
    """Yield (text_id, start, end, kind, source) of what a rule finds at its words in canonical texts."""
    for text_id, starts in index.places(rule.anchor, rule.beside):
        for start, end in rule.find(plain[text_id], starts):
            yield text_id, start, end, rule.kind, rule.source


def version_of(modules: Iterable[ModuleType], *more: str) -> str:
    """Return a short digest of the modules' code and of further texts: a changed rule is another version."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(inspect.getsource(module).encode())
    for text in more:
        digest.update(text.encode())
    return digest.hexdigest()[:12]
