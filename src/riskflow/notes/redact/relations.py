"""Names after a word for kin or staff: `her son Xander`, `husband is named Bob`, `nurse Smith`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from riskflow.notes.redact.listed_names import preceding_word
from riskflow.notes.redact.names import (
    CAPITAL_WORD,
    Evidence,
    evidence,
    is_any_given,
    is_short_capitals,
    run_end,
)

_RELATIONS = (
    "wife|husband|spouse|partner|son|daughter|mother|father|mom|dad|mum|sister|brother|sibling|aunt|uncle"
    "|cousin|niece"
    "|nephew|grandmother|grandfather|grandson|granddaughter|grandma|grandpa|grandchild|grandchildren"
    "|friend|neighbor"
    "|neighbour|roommate|girlfriend|boyfriend|fiance|fiancee|caregiver|guardian|stepmother|stepfather"
    "|stepson|stepdaughter"
    "|mother-in-law|father-in-law|son-in-law|daughter-in-law|brother-in-law|sister-in-law|sons|daughters"
    "|sisters|brothers"
    "|twin|twins|children|child|baby|parents|boss|coworker|supervisor|teacher|landlord|sponsor|widow"
    "|widower|husband's|wife's"
)
_STAFF_WORDS = (
    "aide|interpreter|nurse|surgeon|therapist|counselor|pharmacist|chaplain|hospitalist|cardiologist"
    "|oncologist"
    "|pediatrician|neurologist|psychiatrist|provider|physician|pcp|attending|resident|patient|pt|client"
)
KIN = frozenset(_RELATIONS.split("|"))
STAFF = frozenset(_STAFF_WORDS.split("|"))
LINKS = frozenset({"named", "called", "is", "name", "mr", "mrs", "ms", "dr", "mr.", "mrs.", "ms.", "dr."})
RELATION = re.compile(
    rf"\b(?i:(?P<kin>{_RELATIONS})|{_STAFF_WORDS})(?:'s)?"
    r"(?:(?i:\s*,\s*|\s+(?:is\s+)?(?:named|called)\s+|\s+name\s+is\s+|\s+is\s+|\s*\(\s*|\s+))(?:(?i:mr|mrs"
    r"|ms|dr)\.?\s+)?$"
)


_BEFORE_CAPITAL = re.compile(r"[A-Za-z'-]+[.\"']?[ ,(:\n]+(?=[A-Z])")


def relation_before(text: str, word: str) -> re.Match[str] | None:
    """Return the relation, or what links one to a name, at the end of a text whose last word is given in small letters.

    A word for kin or staff is itself the relation; only after a word that links one there may be one before it.
    """
    return RELATION.search(text) if word in LINKS else RELATION.match(text, max(0, text.lower().rfind(word)))


def after_relation(text: str, anchors: Sequence[int]) -> Iterator[tuple[int, int]]:
    """After kin an unlisted name counts (`her son Xander`); after staff and `patient` only a listed one does."""
    for anchor in anchors:
        gap = _BEFORE_CAPITAL.match(text, anchor)
        capital = CAPITAL_WORD.match(text, gap.end()) if gap else None
        if capital is None:
            continue
        start = capital.start()
        before = preceding_word(text, start)
        if not (before in KIN or before in STAFF or before in LINKS):
            continue
        relation = relation_before(text[max(0, start - 40) : start], before)
        found = evidence(capital[0])
        if relation is None or found is Evidence.WORD or is_short_capitals(capital[0], text):
            continue
        kin = relation["kin"] is not None and not text.isupper()
        if found is not Evidence.NAME and not (
            kin and (found is Evidence.UNKNOWN or is_any_given(capital[0]))
        ):
            continue
        end = run_end(text, start, sure=True)
        if end is not None:
            yield start, end
