"""Rules for names by what stands beside them: titles, labels, credentials, relations, phrases and lists of names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

import polars as pl

from riskflow.notes.redact.beside import may_label, may_relate
from riskflow.notes.redact.listed_names import (
    listed_runs,
    lower_case_runs,
    may_be_listed,
    may_run,
)
from riskflow.notes.redact.names import (
    CAPITAL_WORD,
    CREDENTIALS,
    TITLE_WORDS,
    TOKEN,
    Evidence,
    evidence,
    is_any_given,
    is_short_capitals,
    is_surname,
    run_end,
    run_start,
)
from riskflow.notes.redact.relations import KIN, LINKS, STAFF, after_relation
from riskflow.notes.redact.rule import Rule, WordRule
from riskflow.notes.redact.spans import SPAN_SCHEMA, span_frame
from riskflow.notes.redact.text import canonical_series, lower_case_given_names, spelled_out, word_list

_TITLES = (
    r"Dr|Drs|Doctor|Mr|Mrs|Ms|Miss|Mx|Messrs|Prof|Professor|Rev|Reverend|Pastor|Rabbi|Imam|Father|Fr"
    r"|Sister|Nurse|Judge|Officer|Deputy|Detective"
    r"|Sgt|Sergeant|Capt|Captain|Lt|Lieutenant|Col|Colonel|Maj|Gen|Hon|Sir|Dame|Senator|Senora?|Sra?"
    r"|Madame|Mme|Uncle|Aunt|Auntie|Grandma|Grandpa|Cousin"
    r"|Coach|Chaplain|Attorney|Atty"
)
_TITLE = re.compile(rf"\b(?i:{_TITLES})\b\.?,?[ \t]*(?:and\s+(?:Mrs|Ms|Mr|Dr)\.?\s+)?")
_LABEL = re.compile(
    r"\b(?i:(?:patient|pt|client|resident|member|subscriber|guarantor|provider|physician|doctor|surgeon"
    r"|caregiver|guardian|spouse|contact)?\s*"
    r"(?:full|first|last|middle|maiden|given|family|preferred|legal|sur)?\s?names?|patient|pt|client|re"
    r"|attending(?:\s+(?:physician|md|provider|surgeon))?|resident|intern|fellow"
    r"|(?:primary\s+care\s+|referring\s+|ordering\s+|consulting\s+|admitting\s+|treating\s+"
    r"|rendering\s+)?(?:physician|provider|clinician|doctor|pcp)|pcp|surgeon|anesthesiologist|assistant"
    r"|scribe|nurse|rn"
    r"|dictated(?:\s+by)?|transcribed(?:\s+by)?"
    r"|(?:electronically\s+)?(?:co-?)?signed(?:\s+(?:electronically\s+)?by)?|authored\s+by|author"
    r"|entered\s+by|verified\s+by|reviewed\s+by|performed\s+by|prepared\s+by|written\s+by"
    r"|referred\s+by|referring|interpreted\s+by|read\s+by|technologist|tech|cc|attn|attention|to|from|dear"
    r"|emergency\s+contact|next\s+of\s+kin|nok|contact(?:\s+person)?|guardian|legal\s+guardian|spouse|wife"
    r"|husband|mother|father|son|daughter|parents?|sibling|brother|sister|poa|hcpoa|proxy"
    r"|health\s*care\s+proxy|witness|interpreter"
    r"|case\s+manager|social\s+worker|therapist|counselor|pharmacist|employer\s+contact|informant"
    r"|historian|accompanied\s+by)"
    r"\s*$"
)
_LABEL_ENDS = frozenset(
    "patient pt client re attending physician md provider surgeon resident intern fellow clinician doctor pcp "  # noqa: SIM905
    "anesthesiologist assistant scribe nurse rn dictated by transcribed signed author referring technologist tech cc "
    "attn attention to from dear contact kin nok person guardian spouse wife husband mother father son daughter parent "
    "parents sibling brother sister poa hcpoa proxy witness interpreter manager worker therapist counselor pharmacist "
    "informant historian".split()
)
"""Last words of the labels; also all that end in `name` or `names`."""
_LABEL_GAP = re.compile(r"[A-Za-z'-]+\s*")
_AFTER_LABEL = re.compile(r"(?::|=|#|(?<=\s)-(?=\s))[ \t]*(?:(?i:drs?|mrs?|ms|prof)\.?\s+)?(?=[A-Za-z])")
_UNLISTED = re.compile(r"[a-z]+(?:['-][a-z]+)*(?: [a-z]+(?:['-][a-z]+)*){0,2}(?=\s*(?:[,;.\n]|$|\s{2}))")
_NAME_LABEL = re.compile(r"(?i)names?\s*$")
_TITLE_SET = spelled_out(_TITLES.lower())
_COMMA = re.compile(r",\s*")
_CREDENTIAL = re.compile(
    rf"(?P<comma>,?\s+)"
    rf"(?P<word>{'|'.join(re.escape(c.upper()) for c in sorted(CREDENTIALS, key=len, reverse=True))}"
    rf"|M\.D\.|D\.O\.|R\.N\.|Ph\.?D\.?|PharmD|PsyD|D\.D\.S\.|N\.P\.|P\.A\.)(?![\w-])"
)
_CREDENTIAL_PARTS = frozenset(
    [re.split("[^a-z]", credential)[0] for credential in CREDENTIALS]
    + [*"mdrnp", "ph", "phd", "pharmd", "psyd"]
)
_WEAK_CREDENTIALS = frozenset({"MA", "PT", "OT", "MS", "OD", "DC", "PA", "DO", "RD", "NP", "CNS", "ESQ"})
_PHRASE = re.compile(
    r"\b(?i:(?:my|his|her|their|whose|patient'?s?|your|the)\s+name(?:s)?\s+(?:is|was|are)|goes\s+by"
    r"|known\s+as|a\.?k\.?a\.?|aka|n[ee]e|formerly|prefers\s+(?:to\s+be\s+called|the\s+name)"
    r"|likes\s+to\s+be\s+called|(?:i\s+am|i'm|this\s+is)(?=\s+(?:dr|[A-Z]))"
    r"|signed\s+by|signed,|dictated\s+by|authored\s+by|transcribed\s+by|dear|hello|hi|sincerely,?"
    r"|regards,?|thanks,?|thank\s+you,?)[\s:,\"]+(?:(?i:drs?|mrs?|ms|prof)\.?\s+)?"
)
_PHRASE_NEEDS = (
    r"\b(?i:(?:my|his|her|their|whose|patient'?s?|your|the)\s+name(?:s)?\s+(?:is|was|are)|goes\s+by"
    r"|known\s+as|a\.?k\.?a\.?|aka|n[ee]e|formerly|prefers\s+(?:to\s+be\s+called|the\s+name)"
    r"|likes\s+to\s+be\s+called|i\s+am|i'm|this\s+is"
    r"|signed\s+by|signed,|dictated\s+by|authored\s+by|transcribed\s+by|dear|hello|hi|sincerely,?"
    r"|regards,?|thanks,?|thank\s+you,?)[\s:,\"]+[A-Za-z]"
)
_NAMING = re.compile(r"(?i)goes|known|prefers|likes|a\.?k|.*name")
_AND = re.compile(r"\s*,\s*(?:and\s+|&\s*)?|\s+(?:and|or|&)\s+|\s*[/;]\s*")


def _after_phrase(text: str) -> Iterator[tuple[int, int]]:
    for match in _PHRASE.finditer(text):
        end = run_end(text, match.end(), sure=True)
        if end is None and _NAMING.match(match[0]):
            end = _unlisted_end(text, match.end())
        if end:
            yield match.end(), end


def _after_title(text: str, anchors: Sequence[int]) -> Iterator[tuple[int, int]]:
    reached = 0
    for anchor in anchors:
        match = _TITLE.match(text, anchor) if anchor >= reached else None
        if match is None:
            continue
        reached = match.end()
        if match.end() == len(text) or match[0][-1].isalpha():
            continue
        if match[0][0].islower() and "." not in match[0] and not _names_someone(text, match.end()):
            continue
        end = run_end(text, match.end(), sure=True, lower=True)
        if end is not None:
            yield match.end(), end


_ANY_WORD = re.compile(r"[A-Za-z'-]+")


def _names_someone(text: str, start: int) -> bool:
    word = _ANY_WORD.match(text, start)
    return word is not None and (word[0][0].isupper() or evidence(word[0]) is Evidence.NAME)


def _ends_label(word: str) -> bool:
    last = word.lower().rstrip("'").rpartition("-")[2].rpartition("'")[2]
    return last in _LABEL_ENDS or last.endswith(("name", "names"))


def _after_label(text: str, anchors: Sequence[int]) -> Iterator[tuple[int, int]]:
    for anchor in anchors:
        gap = _LABEL_GAP.match(text, anchor)
        colon = _AFTER_LABEL.match(text, gap.end()) if gap else None
        label = _LABEL.search(text[max(0, colon.start() - 40) : colon.start()]) if colon else None
        if colon is None or label is None:
            continue
        start = colon.end()
        end = run_end(text, start, sure=True, lower=True)
        if _NAME_LABEL.search(label[0]):
            end = max(end or 0, _unlisted_end(text, start)) or None
        if end is None:
            continue
        comma = _COMMA.match(text, end)
        given = run_end(text, comma.end(), sure=False, lower=True) if comma else None
        yield start, given or end


def _unlisted_end(text: str, start: int) -> int:
    """End of any words that stand where a name is asked for; 0 where none do."""
    words = _UNLISTED.match(text, start) or (None if text.isupper() else CAPITAL_WORD.match(text, start))
    return words.end() if words and words[0].lower() not in TITLE_WORDS else 0


def _before_credential(text: str, anchors: Sequence[int]) -> Iterator[tuple[int, int]]:
    for anchor in anchors:
        comma = len(text[:anchor].rstrip())
        match = _CREDENTIAL.match(text, comma - (text[comma - 1 : comma] == ","))
        if match is None:
            continue
        weak = match["word"] in _WEAK_CREDENTIALS and "," not in match["comma"]
        start = _start_before(text, match.start(), sure=not weak)
        if start is not None:
            yield start, match.start()


_LAST_WORD = re.compile(r"(?P<word>[A-Z][A-Za-z]*(?:['-]+[A-Za-z]+)*)(?P<dot>\.?)$")


def _start_before(text: str, end: int, *, sure: bool) -> int | None:
    """Where the name begins that ends at `end`; None where the word before is no name."""
    last = _LAST_WORD.search(text[max(0, end - 40) : end])
    if last is None:
        return None
    found = evidence(last["word"])
    if (
        found is Evidence.WORD
        or (found is not Evidence.NAME and not sure)
        or is_short_capitals(last["word"], text)
    ):
        return None
    start = run_start(text, end - len(last[0]), sure=sure)
    if found is Evidence.NAME_OR_WORD and start == end - len(last[0]):
        return None
    comma = re.search(r"(?P<word>[A-Z][A-Za-z'-]+),\s$", text[max(0, start - 30) : start])
    if comma is not None and is_surname(comma["word"]):
        return start - len(comma[0])
    return start


def _eponyms(text: str, anchors: Sequence[int]) -> Iterator[tuple[int, int]]:
    for anchor in anchors:
        word = _WORD_START.match(text, anchor)
        match = _eponym(word[0].lower()).match(text, anchor) if word else None
        nouns = _AFTER_EPONYM.match(text, match.end()) if match else None
        if match and nouns:
            yield match.start(), nouns.end()


def _before_noun(text: str, anchors: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Any capitalised word before the noun of an instrument, score or disease: `Kelly clamp`."""
    reached = 0
    for anchor in anchors:
        noun = _WHOLE_NOUN.match(text, anchor)
        word = _BEFORE_NOUN.search(text, max(reached, anchor - 60), anchor) if noun else None
        if noun is not None and word is not None:
            reached = noun.end()
            yield word.start(), reached


def _bare(eponym: str) -> str:
    return re.escape(eponym).replace("'s", "(?:'s)?")


def _eponym_table() -> dict[str, list[str]]:
    """First word → all eponyms and drugs that begin with it."""
    starting: dict[str, list[str]] = {}
    for eponym in canonical_series(pl.Series(word_list("eponyms.txt") + word_list("drugs.txt"))):
        starting.setdefault(_FIRST_WORD.match(eponym.lower())[0], []).append(eponym)  # type: ignore[index]
    return starting


@cache
def _eponym(first_word: str) -> re.Pattern[str]:
    """Return the pattern of the eponyms and drugs that begin with a word; clinical nouns may follow them."""
    longest_first = sorted(_EPONYMS[first_word], key=len, reverse=True)
    return re.compile(rf"(?i:{'|'.join(map(_bare, longest_first))})(?:'?s|')?(?![\w-])")


_FIRST_WORD = re.compile(r"[a-z]+")
_NOUN = (
    "disease|syndrome|sign|test|palsy|score|scale|catheter|cyst|fracture|tumou?r|lymphoma|thyroiditis"
    "|chorea|sarcoma|criteria"
    "|position|maneuver|dementia|body|bodies|phenomenon|disorder|esophagus|tubes?|drain|pump|monitor|coma"
    "|index|angina|node"
    "|gait|clamp|forceps|scissors|retractor|needle|stitch|suture|splint|brace|boot|collar|procedure|repair"
    "|technique|tap"
    "|classification|grade|stage|method|rule|wrap|bag|bandage|dressing|line|stain|reflex|nerve|ligament"
    "|duct|pouch|anemia"
    "|nephropathy|neuropathy|contracture|contractions?|hernia|ulcer|spots?|nodes|rings?|lens|lamp|chart"
    "|table|frame|stand|levels?|phase|protocol|diet|exercises?"
)
_AFTER_EPONYM = re.compile(rf"(?i:(?:[\s-]+(?:{_NOUN})\b)*)")
_BEFORE_NOUN = re.compile(r"(?<![\w'-])[A-Z][a-z]+(?:-[A-Z][a-z]+)?(?:'s)?\s+$")
_WHOLE_NOUN = re.compile(rf"(?:{_NOUN})\b")
_EPONYMS = _eponym_table()
_WORD_START = re.compile(r"(?<![\w-])[A-Za-z]{2,}")

RULES: tuple[Rule | WordRule, ...] = (
    WordRule("name.title", "NAME", _TITLE_SET, _after_title),
    WordRule("name.label", "NAME", _ends_label, _after_label, beside=may_label),
    WordRule("name.credential", "NAME", _CREDENTIAL_PARTS, _before_credential),
    WordRule("name.relation", "NAME", KIN | STAFF | LINKS, after_relation, beside=may_relate),
    Rule("name.phrase", "NAME", _PHRASE_NEEDS, _after_phrase),
    WordRule("name.listed", "NAME", may_be_listed, listed_runs, tier="list", beside=may_run),
    WordRule("name.lower_case", "NAME", lower_case_given_names(), lower_case_runs, tier="list"),
    WordRule("eponym", "KEEP", frozenset(_EPONYMS), _eponyms, tier="allow"),
    WordRule("eponym.noun", "KEEP", spelled_out(_NOUN), _before_noun, tier="allow"),
)


def extend_names(texts: pl.Series, spans: pl.DataFrame) -> pl.DataFrame:
    """Return the spans with half-caught names made whole (`Anna S.`, `[de la] Cruz`) and lists of names run on.

    `texts` are the texts that `text_id` points into. Only NAME spans change; further names of a list
    (`Anna, Bob and Carol`) are added with the source `list:name.run`.
    """
    names = spans.filter(pl.col("kind") == "NAME")
    if names.is_empty():
        return spans
    ids = names["text_id"].unique()
    canonical = dict(zip(ids.to_list(), canonical_series(texts.gather(ids)).to_list(), strict=True))
    rows = [row for name in names.iter_rows() for row in _extended(canonical[name[0]], name)]
    return pl.concat([spans.filter(pl.col("kind") != "NAME"), span_frame(rows).unique()]).select(
        list(SPAN_SCHEMA)
    )


def _extended(text: str, row: tuple[int, int, int, str, str]) -> Iterator[tuple[int, int, int, str, str]]:
    text_id, start, end, kind, source = row
    start, end = run_start(text, start, sure=False), _extended_end(text, end)
    yield text_id, start, end, kind, source
    for found in _list_run(text, end):
        yield text_id, *found, kind, "list:name.run"


_NAME_JOIN = re.compile(r"[ \t](?:\"[A-Za-z]+\"\s|\([A-Z][a-z]+\)\s)?|-(?=[A-Z])")


def _extended_end(text: str, end: int) -> int:
    join = _NAME_JOIN.match(text, end)
    token = TOKEN.match(text, join.end()) if join else None
    if token is None or (is_short_capitals(token["word"], text) and len(token["word"]) > 1):
        return end
    initial = len(token["word"]) == 1 and bool(token["dot"])
    if not initial and evidence(token["word"]) is not Evidence.NAME:
        return end
    further = run_end(text, token.start(), sure=True) if initial else run_end(text, token.start(), sure=False)
    return max(end, further or end)


def _is_no_verb(text: str, token: re.Match[str]) -> bool:
    """`Anna and Will.` is a list of names, `Anna and May be` is not."""
    return (
        token["word"].lower() not in ("will", "may", "can", "hope", "mark")
        or text[token.end() : token.end() + 1] in ",.;"
    )


def _list_run(text: str, end: int) -> Iterator[tuple[int, int]]:
    """Names that go on a list after the name that ends at `end`."""
    while (join := _AND.match(text, end)) is not None:
        token = TOKEN.match(text, join.end())
        if token is None or is_short_capitals(token["word"], text):
            return
        found = evidence(token["word"])
        certain = found is Evidence.NAME and (is_any_given(token["word"]) or is_surname(token["word"]))
        possible = (
            found is Evidence.NAME_OR_WORD
            and is_any_given(token["word"])
            and text[token.end() : token.end() + 1] in ",.;"
        )
        if not certain and not possible:
            return
        new_end = run_end(text, join.end(), sure=possible)
        if new_end is None:
            return
        yield join.end(), new_end
        end = new_end
