"""Rules for persons that notes name briefly: initials beside a word of signing, a surname before `aware` or `paged`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from riskflow.notes.redact.names import CAPITAL_WORD, Evidence, evidence, is_surname, looks_like_a_name
from riskflow.notes.redact.rule import Rule, matches
from riskflow.notes.redact.text import word_set

_PAIR = r"[A-Za-z]\.?[ ]?[A-Za-z]\.?(?![A-Za-z])"
_CAPITALS = r"(?:[A-Z]\.?[ ]?[A-Z]\.?|[A-Za-z]\.[ ]?[A-Za-z]\.)(?![A-Za-z])"
_SIGNED = r"(?:initialed|initialled|verified|checked|cosigned|co-signed|witnessed|signed|entered)"
_SIGNING = (
    r"(?:initialed|initialled|cosigned|co-signed|verified|witnessed)\s+(?:the|this|and|by|all|with|orders?)\b"
)
_TOLD = (
    r"(?:aware|notified|paged|informed|updated|consulted|called\s+back|on\s+call|in\s+OR|at\s+bedside|to\s+bedside|agrees"
    r"|concurs|cosigned|scrubbed\s+in)"
)
_SENTENCE = r"(?:^|[.;:!?\n]\s*|\n)"
_NO_PERSONS = word_set("who_is_told_but_no_name")


def _after_signing(text: str) -> Iterator[tuple[int, int]]:
    """`Initials: AB`, `verified by A.B. / CD`; after a bare `checked` only a pair, since one checks a BP as well."""
    for match in _SIGNED_BY.finditer(text):
        for part in ("one", "two"):
            if match[part]:
                yield match.span(part)
    for match in _CHECKED_PAIR.finditer(text):
        yield match.span("one")
        yield match.span("two")


_SIGNED_BY = re.compile(
    rf"\b(?i:initials?(?:\s+(?:of|are|is))?|{_SIGNED}\s+by)\s?[:=-]?\s*(?P<one>{_PAIR})(?:\s?[/&]\s?(?P<two>{_PAIR}))?"
)
_CHECKED_PAIR = re.compile(rf"\b(?i:{_SIGNED})\s+(?P<one>{_CAPITALS})\s?[/&]\s?(?P<two>{_CAPITALS})")


def _before_told(text: str) -> Iterator[tuple[int, int]]:
    """`Manley aware.`, `Otremba paged.` at the beginning of a sentence; `Surgery paged.` is no person."""
    for match in _TOLD_AFTER.finditer(text):
        word = match["phi"]
        found = evidence(word)
        named = (
            found is Evidence.NAME
            or is_surname(word)
            or (found is not Evidence.WORD and looks_like_a_name(word))
        )
        if named and word.lower() not in _NO_PERSONS and CAPITAL_WORD.fullmatch(word):
            yield match.span("phi")


_TOLD_AFTER = re.compile(
    rf"{_SENTENCE}(?P<phi>[A-Z][a-z]+(?:['-][A-Z]?[a-z]+)*|[A-Z]'?[A-Z]?[a-z]+)\s+{_TOLD}\b"
)

RULES: tuple[Rule, ...] = (
    Rule(
        "name.initials_after",
        "NAME",
        rf"\b(?i:initials?(?:\s+(?:of|are|is))?|{_SIGNED}\s+by)\s?[:=-]?\s*[A-Za-z]\.?[ ]?[A-Za-z]\.?(?:[^A-Za-z]|$)"
        rf"|\b(?i:{_SIGNED})\s+[A-Za-z]\.?[ ]?[A-Za-z]\.?\s?[/&]",
        _after_signing,
    ),
    Rule(
        "name.initials_before",
        "NAME",
        rf"(?i)[a-z]\.?[ ]?[a-z]\.?\s+{_SIGNING}",
        matches(rf"(?<![\w.'-])(?P<phi>{_CAPITALS})\s+(?={_SIGNING})"),
    ),
    Rule("name.told", "NAME", rf"{_SENTENCE}[A-Z][A-Za-z'-]*\s+{_TOLD}\b", _before_told),
)
