"""Cut texts into sentences, and tell which of them may hold a name or a place at all.

The model reads sentences: equal ones are read once however many notes hold them, and most clinical prose is
passed over by the prefilter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from riskflow.notes.ner.lexicon import eponyms, is_common_name, is_listed_name, safe_words

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
_CAPITALISED = re.compile(r"\b[^\W\d_a-zß-öø-ÿ][^\W\d_]*(?:['’][^\W\d_]+)*")
_INITIALS = re.compile(r"\b[A-Z]\.? ?[A-Z]\.?(?![A-Za-z])")
_INITIALS_CONTEXT = re.compile(r"\b(?:initial\w*|verified|checked|cosigned|signed|by)\b", re.IGNORECASE)
_TITLE = re.compile(r"\b(?:drs?|mrs?|ms|miss|prof|doctor)\b\.? +[^\W\d_]", re.IGNORECASE)
_CUE = re.compile(
    r"\b(?:nurse|named|attn|c/o|d/w|daughter|son|wife|husband|mother|father|"
    r"sister|brother|spouse|partner|niece|nephew|aunt|uncle|friend|neighbor|name|by|with|from|in|at)\b"
    r"[.,:]{0,2} +\(?([^\W\d_]+)"
)
_EPONYM_USE = re.compile(
    r"\b([A-Z][\w’']+)(?:[- ]([A-Z][\w’']+))? (?:disease|syndrome|sign|test|score|scale|index|criteria|catheter|drain|"
    r"line|monitor|lymphoma|sarcoma|tumor|fracture|maneuver|procedure|palsy|contracture|cyst|foot|thyroiditis|"
    r"encephalopathy|dementia|esophagus|phenomenon|neuroma|cardiomyopathy|anemia|clamp|retractor|forceps|solution|"
    r"bypass|fundoplication|method|correction|guidelines|balance|contractions|maneuvers|numbers|level|nodes?|scores)\b"
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
            if text[max(start, cut - 5) : cut].lower().rpartition(" ")[2].endswith(_ABBREVIATIONS):
                continue
        yield from _trimmed(text, start, cut)
        start = end.end()
    yield from _trimmed(text, start, len(text))


def may_hold_name(sentence: str) -> bool:
    """Whether a sentence has a capitalised word that is a listed name or no common word, or a cue before a name."""
    if _TITLE.search(sentence):
        return True
    plain = _EPONYM_USE.sub(_without_eponym, sentence)
    opening = True
    for found in _CAPITALISED.finditer(plain):
        word = found[0]
        if len(word) > 1 and not _is_safe(_lower(word), opening and found.start() < 4):
            return True
        opening = False
    if _INITIALS.search(sentence) and _INITIALS_CONTEXT.search(sentence):
        return True
    return any(_is_small_name(found[1]) for found in _CUE.finditer(sentence.lower()))


def _without_eponym(use: re.Match[str]) -> str:
    """Take an eponym out of `Parkinson disease`; two capitalised words only when both are eponyms."""
    words = [_lower(word) for word in use.groups() if word]
    return "" if all(word in eponyms() for word in words) else use[0]


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
