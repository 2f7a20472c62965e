"""The redaction policy of a run: what replaces an identifier, and the terms that always or never go."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from riskflow.config.notes import NotesPolicySection
from riskflow.notes.redact.spans import Detection, span_frame
from riskflow.notes.redact.text import canonical, canonical_series

METHOD = "2"
"""Version of the steps around the detectors (merge, extension, replacement); raise it when they change."""


@dataclass(frozen=True)
class Policy:
    """What to do with identifiers. `style`: markers or pseudonyms; `shift_dates`: keep intervals."""

    style: str = "markers"
    shift_dates: bool = False
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    @classmethod
    def of(cls, section: NotesPolicySection) -> Policy:
        """Return the policy of the config section; the key file is no part of it."""
        return cls(section.style, section.shift_dates, tuple(section.allow), tuple(section.deny))

    @cached_property
    def version(self) -> str:
        """Twelve hexadecimal digits that name the policy in caches, artifacts and the audit."""
        parts = [METHOD, self.style, self.shift_dates, sorted(self.allow), sorted(self.deny)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class TermDetector:
    """Finds the policy's own terms as whole words, in any letter case: `deny` as ID, `allow` as protection."""

    policy: Policy

    @property
    def version(self) -> str:
        """The policy's version: the terms are part of it."""
        return f"terms@{self.policy.version}"

    def detect(self, texts: Sequence[str]) -> Detection:
        """Return the spans of the terms in every text."""
        column = canonical_series(pl.Series("text", texts, dtype=pl.String))
        denied = _term_rows(column, self.policy.deny, "ID", "deny:policy")
        exempt = _term_rows(column, self.policy.allow, "KEEP", "exempt:policy")
        return Detection(span_frame([*denied, *exempt]))


def _term_rows(
    texts: pl.Series, terms: Sequence[str], kind: str, source: str
) -> list[tuple[int, int, int, str, str]]:
    plain = sorted({canonical(term.strip()) for term in terms if term.strip()}, key=lambda t: (-len(t), t))
    if not plain:
        return []
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, plain))})(?!\w)", re.IGNORECASE)
    hits = texts.str.contains_any(plain, ascii_case_insensitive=True).arg_true()
    return [
        (row, *match.span(), kind, source)
        for row, text in zip(hits.to_list(), texts.gather(hits).to_list(), strict=True)
        for match in pattern.finditer(text)
    ]
