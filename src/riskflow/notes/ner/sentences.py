"""Cut texts into sentences, and tell which of them may hold a name or a place at all.

The model reads sentences: equal ones are read once however many notes hold them, and most clinical prose is
passed over by the prefilter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from riskflow.notes.ner.lexicon import eponyms, is_common_name, is_listed_name, safe_words
from riskflow.notes.redact.index import WordIndex
from riskflow.notes.redact.text import canonical

LONGEST = 600
"""Characters after which a sentence is cut at the next blank: run-on text stays within the model's batches."""

_END = re.compile(r"[a-z0-9)%\"][.!?]\s+(?=[A-Z0-9\"(])|\s*\n\s*")
_ABBREVIATIONS = (
    "dr.",
    "drs.",
    "mr.",
    "mrs.",
    "ms.",
    "st.",
    "jr.",
    "sr.",
    "prof.",
    "vs.",
    "no.",
    "pt.",
    "mt.",
    "ft.",
)
_ABBREVIATION_ENDS = frozenset(abbreviation[-2] for abbreviation in _ABBREVIATIONS)
_INITIALS = re.compile(r"\b[A-Z]\.? ?[A-Z]\.?(?:[^A-Za-z]|$)")
_INITIALS_CONTEXT = re.compile(r"(?i)\b(?:initial\w*|verified|checked|cosigned|signed|by)\b")
_TITLES = frozenset("dr drs mr mrs ms miss prof doctor".split())  # noqa: SIM905
_CUES = frozenset(
    "nurse named attn o w daughter son wife husband mother father sister brother spouse partner niece nephew "  # noqa: SIM905
    "aunt uncle friend neighbor name by with from in at".split()
)
_EPONYM_NOUNS = frozenset(
    "disease syndrome sign test score scale index criteria catheter drain line monitor lymphoma sarcoma tumor fracture "  # noqa: SIM905
    "maneuver procedure palsy contracture cyst foot thyroiditis encephalopathy dementia esophagus phenomenon neuroma "
    "cardiomyopathy anemia clamp retractor forceps solution bypass fundoplication method correction guidelines balance "
    "contractions maneuvers numbers level node nodes scores".split()
)
_WORD_ENDINGS = re.compile(
    r"(?:ed|ing|tion|tions|sion|ment|ments|ness|ity|ous|ive|able|ible|ical|ally|ology|itis|osis|emia|uria|ectomy|"
    r"ostomy|otomy|graphy|gram|scopy|pathy|plasty|therapy|ine|pril|olol|statin|azole|mycin|cillin|coccus|philic|"
    r"cytes?|emic|atory|ular|ial|ant|ents?|ance|ence|ics|ogen|oid|ism|less|ful|ward|wise|ably)$"
)
_FUNCTION_WORDS = frozenset(
    "a about after again all also an and any are as at be been before being both but by can could did do does done due "  # noqa: SIM905
    "during each either every few first for found from given had has have he her here his how i if in into is it its "
    "last less like made many may me mild more most much my near needs new next no none normal not noted now of off on "
    "once one only or other our out over per plus pt re ready recent same see seen she should since some still such "
    "than that the their them then there these they this those three through to today two under until up upon was we "
    "well were what when where which while who will with within without would yes you your".split()
)
_OPENING_WORDS = frozenset(
    "will may long white young case right left early good great small large low high ready max drew rich page hope "  # noqa: SIM905
    "mark call hold start brown green black gray frank stern price major love king".split()
)
_ORDINARY_AS_NAMES = frozenset(
    "lab labs neck foot head back bowel rate mass list plan long may hill lane park ford case page "  # noqa: SIM905
    "care case day fall spring summer winter monday friday sunday april june august street north south".split()
)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every sentence or line that is not blank."""
    start = 0
    for end in _END.finditer(text):
        cut = end.start()
        if (
            text[cut] not in " \n\r\t\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029"
        ):  # a full stop, not the end of a line
            cut += 2
            may_be_short = text[cut - 1] == "." and text[cut - 2] in _ABBREVIATION_ENDS
            if may_be_short and text[max(start, cut - 5) : cut].lower().rpartition(" ")[2].endswith(
                _ABBREVIATIONS
            ):
                continue
        if cut - start > LONGEST:
            yield from _trimmed(text, start, cut)
        elif start < cut and not text[start:cut].isspace():
            yield start, cut
        start = end.end()
    yield from _trimmed(text, start, len(text))


def may_hold_names(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return which sentences of canonical text have to be read.

    Those with a capitalised word that is a listed name or no common word, a cue or a title before a possible name,
    initials, or letters of another script. Whatever is not sure to hold no name has to be read.
    """
    column = pl.Series("text", texts, dtype=pl.String)
    index = WordIndex.of(column)
    told = np.array([_told(word) for word in index.words], np.int64)[index.codes]
    ahead = _ahead(told, index.rows, 1)
    capital = told & _CAPITAL != 0
    first = (
        capital & (_behind(np.where(capital, index.rows, -1)) != index.rows) & (index.starts < _OPENS_BEFORE)
    )
    unsafe = np.where(first, told & _UNSAFE_FIRST, told & _UNSAFE) != 0
    noun = ahead & _NOUN != 0
    pair = (ahead & _EPONYM != 0) & (_ahead(told, index.rows, 2) & _NOUN != 0)
    after_pair = _behind_in_row(told & _EPONYM != 0, index.rows) & noun
    unsafe &= ~((told & _EPONYM != 0) & (noun | pair | after_pair))
    unsafe |= (told & _TITLE != 0) & (ahead != 0)
    unsafe |= (told & _CUE != 0) & (ahead & _SMALL_NAME != 0)
    wanted = (column.str.len_bytes() != column.str.len_chars()).to_numpy().copy()
    wanted[index.rows[unsafe]] = True
    initials = column.str.contains(_INITIALS.pattern) & column.str.contains(_INITIALS_CONTEXT.pattern)
    wanted |= initials.to_numpy()
    return wanted


def may_hold_name(sentence: str) -> bool:
    """Return whether one sentence has to be read; see `may_hold_names`."""
    return bool(may_hold_names([canonical(sentence)])[0])


_OPENS_BEFORE = 4
_WORD, _CAPITAL, _UNSAFE, _UNSAFE_FIRST, _EPONYM, _NOUN, _TITLE, _CUE, _SMALL_NAME = (
    1 << n for n in range(9)
)


@lru_cache(maxsize=1 << 17)
def _told(word: str) -> int:
    """Return as bits what a word is."""
    return _told_of_letters(word) if word.isalpha() else told_of_parts(word)


def _told_of_letters(word: str) -> int:
    """Return what `told_of_parts` does of a word that is letters alone: most are, and it takes a third of the time."""
    lower = word.lower()
    told = (
        _WORD
        | _NOUN * (word in _EPONYM_NOUNS)
        | _TITLE * (lower in _TITLES)
        | _CUE * (lower in _CUES)
        | _SMALL_NAME * _is_small_name(lower)
    )
    if len(word) > 1 and word[0].isupper():
        told |= _CAPITAL | _EPONYM * (lower in eponyms())
        told |= _UNSAFE * (not _is_safe(lower, False)) | _UNSAFE_FIRST * (not _is_safe(lower, True))
    return told


def told_of_parts(word: str) -> int:
    """Return as bits what a word is; the parts of a hyphened word each count."""
    lower = _lower(word).rstrip("'")
    parts = [_lower(part) for part in lower.split("-")]
    capitals = [_lower(part) for part in word.split("-") if part[:1].isupper() and len(part) > 1]
    return (
        _WORD
        | _CAPITAL * bool(capitals)
        | _UNSAFE * any(not _is_safe(part, False) for part in capitals)
        | _UNSAFE_FIRST * any(not _is_safe(part, True) for part in capitals)
        | _EPONYM * (bool(capitals) and all(part in eponyms() for part in parts))
        | _NOUN * (word in _EPONYM_NOUNS)
        | _TITLE * (lower in _TITLES)
        | _CUE * (parts[-1] in _CUES)
        | _SMALL_NAME * any(_is_small_name(part) for part in parts)
    )


def _ahead(told: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], steps: int) -> npt.NDArray[np.int64]:
    """Return for each word what is told of the word so many steps on in its sentence, 0 where there is none."""
    later = np.zeros_like(told)
    later[:-steps] = np.where(rows[:-steps] == rows[steps:], told[steps:], 0)
    return later


def _behind_in_row(said: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return for each word what is said of the word before it in its sentence."""
    earlier = np.zeros_like(said)
    earlier[1:] = said[:-1] & (rows[1:] == rows[:-1])
    return earlier


def _behind(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the last row that is not -1 before each place, -1 where there is none."""
    earlier = np.full_like(rows, -1)
    earlier[1:] = np.maximum.accumulate(rows)[:-1]
    return earlier


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > LONGEST:
        cut = text.find(" ", start + LONGEST, end)
        if cut < 0:
            break
        if text[start:cut].strip():
            yield start, cut
        start = cut + 1
    if start < end and not text[start:end].isspace():
        yield start, end


def _lower(word: str) -> str:
    return word.lower().removesuffix("'s").removesuffix("’s")


@cache
def _is_small_name(word: str) -> bool:
    """Whether a word written small is likely a name: listed, and no ordinary word."""
    if word in _FUNCTION_WORDS or word in safe_words():
        return False
    return is_listed_name(word) and _WORD_ENDINGS.search(word) is None


@cache
def _is_safe(lower: str, opening: bool) -> bool:
    if lower in _FUNCTION_WORDS or lower in _ORDINARY_AS_NAMES or (opening and lower in _OPENING_WORDS):
        return True
    if lower in safe_words():
        return not is_common_name(lower)
    return not is_listed_name(lower) and _WORD_ENDINGS.search(lower) is not None
