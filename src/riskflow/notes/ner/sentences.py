"""Cut texts into sentences, and tell which of them may hold a name or a place at all.

The model reads sentences: equal ones are read once however many notes hold them, and most clinical prose is
passed over by the prefilter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from riskflow.notes.ner.lexicon import is_listed_name, safe_words

LONGEST = 600
"""Characters after which a sentence is cut at the next blank: run-on text stays within the model's batches."""

_ABBREVIATIONS = (
    "Dr",
    "dr",
    "DR",
    "Drs",
    "drs",
    "Mr",
    "mr",
    "MR",
    "Mrs",
    "mrs",
    "Ms",
    "ms",
    "St",
    "st",
    "Jr",
    "Sr",
    "Prof",
    "vs",
    "No",
    "no",
    "pt",
    "Pt",
)
_END = re.compile(
    "".join(rf"(?<!\b{word}\.)" for word in _ABBREVIATIONS)
    + r"(?<=[a-z0-9)%\"][.!?])\s+(?=[A-Z0-9\"(])|\s*\n\s*"
)
_CAPITALISED = re.compile(r"\b[^\W\d_a-zß-öø-ÿ][^\W\d_]*(?:['’][^\W\d_]+)*")
_CUE = re.compile(
    r"\b(?:dr|drs|mr|mrs|ms|miss|prof|nurse|doctor|named|attn|c/o|d/w|daughter|son|wife|husband|mother|father|sister|brother|"
    r"spouse|partner|niece|nephew|aunt|uncle|friend|neighbor|patient|pt|rn|md)\b\.?,?:? +\(?[a-z]",
)
_FUNCTION_WORDS = frozenset(
    [
        "a",
        "about",
        "after",
        "again",
        "all",
        "also",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "before",
        "being",
        "both",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "done",
        "due",
        "during",
        "each",
        "either",
        "every",
        "few",
        "first",
        "for",
        "found",
        "from",
        "given",
        "had",
        "has",
        "have",
        "he",
        "her",
        "here",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "last",
        "less",
        "like",
        "made",
        "many",
        "may",
        "me",
        "mild",
        "more",
        "most",
        "much",
        "my",
        "near",
        "needs",
        "new",
        "next",
        "no",
        "none",
        "normal",
        "not",
        "noted",
        "now",
        "of",
        "off",
        "on",
        "once",
        "one",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "per",
        "plus",
        "pt",
        "re",
        "ready",
        "recent",
        "same",
        "see",
        "seen",
        "she",
        "should",
        "since",
        "some",
        "still",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "three",
        "through",
        "to",
        "today",
        "two",
        "under",
        "until",
        "up",
        "upon",
        "was",
        "we",
        "well",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "will",
        "with",
        "within",
        "without",
        "would",
        "yes",
        "you",
        "your",
    ]
)
_COMMON_FIRST_WORDS = frozenset(
    [
        "will",
        "may",
        "long",
        "white",
        "young",
        "case",
        "right",
        "left",
        "early",
        "good",
        "great",
        "small",
        "large",
        "low",
        "high",
        "ready",
        "max",
        "drew",
        "rich",
        "page",
    ]
)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every sentence or line that is not blank."""
    start = 0
    for end in _END.finditer(text):
        yield from _trimmed(text, start, end.start())
        start = end.end()
    yield from _trimmed(text, start, len(text))


def may_hold_name(sentence: str) -> bool:
    """Whether a sentence has a capitalised word that is a listed name or no common word, or a cue before a name."""
    first = True
    for found in _CAPITALISED.finditer(sentence):
        lower = _lower(found[0])
        opens = first and not sentence[: found.start()].strip(" -*#•0123456789.)")
        first = False
        if lower in _FUNCTION_WORDS and opens:
            continue
        if len(lower) == 1:
            continue
        if not _is_safe(lower, opens):
            return True
    return _CUE.search(sentence.lower()) is not None and _cue_names(sentence)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > LONGEST:
        cut = text.find(" ", start + LONGEST, end)
        if cut < 0:
            break
        if text[start:cut].strip():
            yield start, cut
        start = cut + 1
    if text[start:end].strip():
        yield start, end


def _lower(word: str) -> str:
    return word.lower().removesuffix("'s").removesuffix("’s")


def _cue_names(sentence: str) -> bool:
    """Whether the word after a cue is written small but is a listed name or no common word."""
    lowered = sentence.lower()
    for cue in _CUE.finditer(lowered):
        after = re.match(r"[^\W\d_]+", lowered[cue.end() - 1 :])
        if after and after[0] not in _FUNCTION_WORDS and (after[0] not in safe_words()):
            return True
    return False


@cache
def _is_safe(lower: str, opens: bool) -> bool:
    if opens and lower in _COMMON_FIRST_WORDS:
        return True
    if lower not in safe_words() and lower not in _FUNCTION_WORDS:
        return False
    return not is_listed_name(lower) or lower in _clinical_words()


@cache
def _clinical_words() -> frozenset[str]:
    """Listed names that open or fill so much clinical prose that alone they say nothing."""
    return frozenset(
        [
            "chest",
            "lung",
            "neck",
            "skin",
            "head",
            "foot",
            "back",
            "pain",
            "bowel",
            "stool",
            "wound",
            "blood",
            "heart",
            "rate",
            "sodium",
            "lab",
            "labs",
            "mass",
            "left",
            "right",
            "physical",
            "general",
            "abdomen",
            "extremities",
            "social",
            "family",
            "medical",
            "discharge",
            "emergency",
            "operating",
            "right-sided",
            "patient",
            "nursing",
            "primary",
            "care",
            "provider",
            "attending",
            "physician",
            "room",
            "department",
            "education",
            "problem",
            "list",
            "medication",
            "plan",
            "assessment",
            "history",
            "exam",
            "review",
            "chief",
            "complaint",
            "present",
            "illness",
            "past",
            "surgical",
            "code",
            "status",
            "diet",
            "regular",
            "cardiac",
            "renal",
            "comfort",
            "full",
            "stable",
            "good",
            "guarded",
            "pap",
            "specimen",
            "diagnosis",
            "benign",
            "normal",
            "abnormal",
            "intake",
            "case",
            "management",
            "started",
            "stopped",
            "increased",
            "held",
            "hold",
            "tolerated",
            "discussed",
            "reviewed",
            "medications",
            "allergies",
            "reaction",
        ]
    )
