"""Rules for places smaller than a state: streets, cities, ZIP codes, counties, facilities.

Source of the kinds: 45 CFR 164.514(b)(2)(i)(B).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from riskflow.notes.redact.rule import Offsets, Rule, matches
from riskflow.notes.redact.text import folded, ordinary_words, surnames, word_list, word_set

_I = re.IGNORECASE
_STATE_CODES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC"
    "|ND|OH|OK|OR"
    "|PA|PR|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY"
)
_PLAIN_CODES = "|".join(
    code
    for code in _STATE_CODES.split("|")
    if code not in ("MD", "PA", "MA", "MS", "ME", "OR", "IN", "DC", "CT", "OK")
)
_STATES = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Georgia|Hawaii|Idaho"
    "|Illinois"
    "|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi"
    "|Missouri|Montana"
    "|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio"
    "|Oklahoma|Oregon"
    "|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia"
    "|Washington|West Virginia"
    "|Wisconsin|Wyoming|Puerto Rico|District of Columbia"
)
STATES = frozenset(name.lower() for name in (_STATE_CODES + "|" + _STATES + "|GU|VI|AS|MP|Guam").split("|"))
"""Codes and names of the states and territories of the United States, in lower case."""
_SUFFIX = (
    "Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Drive|Dr|Lane|Ln|Court|Ct|Circle|Cir|Way|Place|Pl"
    "|Terrace|Ter|Parkway"
    "|Pkwy|Highway|Hwy|Trail|Trl|Loop|Square|Sq|Alley|Plaza|Plz|Pike|Turnpike|Tpke|Row|Crossing|Xing|Run"
    "|Bend|Ridge|Hollow"
    "|Heights|Hts|Landing|Branch|Station|Track|Gate|Grove|Glen|Manor|Park|View|Vista|Village|Walk|Route"
    "|Rte|Expressway|Esplanade"
    "|Corner|Cove|Estate|Extension|Gardens|Green|Fork|Forge|Harbor|Hills?|Isle|Junction|Key|Knoll|Lake"
    "|Meadows?|Mews|Mill"
    "|Mission|Neck|Orchard|Overpass|Parade|Passage|Path|Pines?|Points?|Port|Ramp|Ranch|Rest|River|Shore"
    "|Skyway|Spring|Spur"
    "|Stravenue|Stream|Summit|Trace|Tunnel|Underpass|Union|Valley|Viaduct|Well|Wells"
)
_SURE_SUFFIX = (
    "street|avenue|ave|road|rd|boulevard|blvd|drive|lane|ln|court|circle|place|terrace|parkway"
    "|pkwy|highway|hwy|trail"
)
_UNIT = (
    r"(?:,?\s*(?:Apt|Apartment|Unit|Suite|Ste|Room|Rm|Floor|Fl|Bldg|Building|Lot|Trlr"
    r"|No)\.?\s*#?\s*[A-Za-z0-9-]+|,?\s*#\s*[A-Za-z0-9-]+)?"
)
_WORD = r"[A-Z][A-Za-z'.-]*"
_CITY = rf"{_WORD}(?:[ ](?:{_WORD}|of|de|del|la|las|los|on|the)){{0,3}}"
_CITY_RUN = re.compile(_CITY)
_TAIL = rf"(?:,?\s+{_CITY})?(?:,\s*(?:{_STATE_CODES}|{_STATES})\b\.?(?:\s+\d{{5}}(?:-\d{{4}})?)?)"
_FACILITY = (
    r"Hospitals?|Medical\s+Cent(?:er|re)|Clinics?|Health\s+(?:System|Center|Partners|Services|Department)"
    r"|Healthcare|Nursing\s+(?:Home|Center|Facility)"
    r"|Rehab(?:ilitation)?(?:\s+(?:Center|Hospital|Institute))?|Hospice|Pharmacy|Urgent\s+Care"
    r"|Surgery\s+Center|Cancer\s+Cent(?:er|re)|Care\s+Cent(?:er|re)"
    r"|Infirmary|School|University|College|Church|Synagogue|Mosque|Academy|Elementary|Shelter"
    r"|Assisted\s+Living|Retirement\s+(?:Home|Community)|Medical\s+Group"
    r"|Associates|Institute|Laborator(?:y|ies)|Imaging|Memorial|Prison|Jail|Correctional\s+(?:Facility"
    r"|Center)|Senior\s+(?:Center|Living)|Apartments|Manor"
)
_LIVES = (
    r"(?:liv(?:es|ed|ing)\s+(?:\w+\s+){0,2}?(?:in|near|at|outside)|resid(?:es|ing|ent|ed)\s+(?:in|of|at"
    r"|near)|moved\s+(?:here\s+)?(?:to|from)|native\s+of|born\s+(?:and\s+raised\s+)?in"
    r"|raised\s+in|grew\s+up\s+in|travel(?:s|ed|ing|led)?\s+(?:to|from)|relocat(?:ed|ing)\s+(?:to|from)"
    r"|hometown(?:\s+(?:of|is))?|transferred\s+(?:here\s+)?(?:from|to)|transported\s+(?:from|to)"
    r"|near|home\s+in|house\s+in|farm\s+in|apartment\s+in|flew\s+(?:in\s+)?from|visiting\s+from"
    r"|drove\s+(?:in\s+)?from|city\s+of|town\s+of|village\s+of|city\s*:|town\s*:|birthplace\s*:|county\s*:)"
)
_EMPLOYED = (
    r"(?:employed\s+(?:by|at|with)|works\s+(?:at|for)|worked\s+(?:at|for)|working\s+(?:at|for)"
    r"|job\s+at|employer\s*:|retired\s+from)"
)
_LARGE_WORDS = word_set("countries_and_parts_of_state_names")
_LARGE = _LARGE_WORDS | frozenset(folded(name) for name in (_STATES + "|" + _STATE_CODES).split("|"))
_NO_COUNTY = word_set("no_county_words")
_FUNCTION_WORDS = word_set("quantity_and_function_words")

_CITIES = tuple(city for city in word_list("cities.txt") if not city.startswith("~"))
_CITY_PATTERN = "|".join(re.escape(city) for city in sorted(_CITIES, key=len, reverse=True))
_CITY_WORDS = frozenset(
    word for city in word_list("cities.txt") for word in folded(city.removeprefix("~")).split()
)


def _is_plain_street(match: re.Match[str]) -> bool:
    return not _FUNCTION_WORDS.intersection(match["words"].lower().split())


def _is_named_street(match: re.Match[str]) -> bool:
    """`5 Days Rest` and `2 Units Spring` are no streets: the first word must not be a word of quantity."""
    words = match["words"].lower().split()
    return not _FUNCTION_WORDS.intersection(words[:1])


def _named_runs(text: str, start: int) -> tuple[int, int] | None:
    """The run of capitalised words at `start` that names a place, cut before the first ordinary word."""
    match = _CITY_RUN.match(text, start)
    if match is None:
        return None
    words = list(re.finditer(r"\S+", match[0]))
    kept: list[re.Match[str]] = []
    for word in words:
        plain = word[0].strip(".,").lower()
        if plain in ordinary_words() and plain not in _CITY_WORDS and not kept:
            return None
        if plain in ordinary_words() and plain not in _CITY_WORDS:
            break
        kept.append(word)
    if not kept or all(w[0].strip(".,").lower() in _LARGE for w in kept):
        return None
    end = start + kept[-1].end()
    return start, end - (text[end - 1] in ".,")


def _after(pattern: str, flags: int = _I) -> Callable[[str], Offsets]:
    compiled = re.compile(pattern + r"\s+(?:the\s+)?", flags)

    def find(text: str) -> Iterator[tuple[int, int]]:
        for match in compiled.finditer(text):
            run = _named_runs(text, match.end())
            if run is not None:
                yield run

    return find


def _facility(text: str) -> Iterator[tuple[int, int]]:
    for match in _FACILITY_PATTERN.finditer(text):
        cut = max((m.end() for m in _PREPOSITION.finditer(match["lead"])), default=0)
        words = [w for w in re.finditer(r"[^\s,]+", match["lead"]) if w.start() >= cut]
        sure = match["kind"].split()[0].title() in _SURE_FACILITIES
        named = [w for w in words if _names_something(w[0]) or (sure and _is_also_a_name(w[0]))]
        if named:
            first = words.index(named[0])
            while first and words[first - 1][0].rstrip(".").lower() in _BEFORE_PLACE:
                first -= 1
            yield match.start("lead") + words[first].start(), match.end()


def _is_also_a_name(word: str) -> bool:
    plain = folded(word).strip(".,'").removesuffix("'s")
    return word[0].isupper() and plain in surnames() and plain not in _GENERIC


_SURE_FACILITIES = frozenset(
    {"Hospital", "Hospitals", "Medical", "School", "University", "College", "Church", "Nursing", "Memorial"}
)
_GENERIC = word_set("generic_facility_words")


def _names_something(word: str) -> bool:
    plain = folded(word).strip(".,'").removesuffix("'s")
    return (
        word[0].isupper()
        and (plain in _CITY_WORDS or plain not in ordinary_words())
        and plain not in _SPECIALTIES
        and plain != "st"
    )


_BEFORE_PLACE = word_set("words_before_place_names")
_SPECIALTIES = word_set("specialties")
_PREPOSITION = re.compile(r"\b(?:at|in|for)\s+")
_LEAD = r"(?:[A-Z][\w'&-]*|(?:St|Mt|Ft)\.)"
_FIRST_LEAD = r"[A-Z](?<!\w[A-Z])(?:[\w'&-]*|(?<=[SMF])t\.)"
"""The same where a word begins; with a set of letters first, all others are passed over at once."""
_JOINING = r"(?:[ ]+(?:of|the|and|at|&|for|in)(?=[ ]+[A-Z]))"
_FACILITY_PATTERN = re.compile(
    rf"(?P<lead>{_FIRST_LEAD}{_JOINING}?(?:[ ]+{_LEAD}{_JOINING}?){{0,5}}[ ]+)"
    rf"(?P<kind>(?i:(?=[ac-ehij-np-su])(?:{_FACILITY})))\b(?:[ ]+of[ ]+{_CITY})?"
)


RULES: tuple[Rule, ...] = (
    Rule(
        "geo.street",
        "GEO",
        r"\d+[A-Z]?(-\d+)?\s+[A-Z0-9]",
        matches(
            rf"(?<![\w./-])\d{{1,6}}[A-Z]?(?:-\d+)?\s+(?:[NSEW]{{1,2}}\.?\s+)?(?P<words>(?:(?:{_WORD}"
            rf"|\d{{1,3}}(?:st|nd|rd"
            rf"|th))\s+){{1,4}}?)(?:{_SUFFIX})\b\.?(?:\s+[NSEW]{{1,2}}\b)?{_UNIT}(?:{_TAIL})?",
            _is_named_street,
        ),
        digits=1,
    ),
    Rule(
        "geo.street_lower",
        "GEO",
        rf"(?i)\d+\s+.*\b({_SURE_SUFFIX})\b",
        matches(
            rf"(?<![\w./-])\d{{1,6}}\s+(?P<words>(?:[a-z'.-]+\s+|\d{{1,3}}(?:st|nd|rd"
            rf"|th)\s+){{1,3}}?)(?:{_SURE_SUFFIX})\b\.?(?:,?\s*(?:apt|apartment|unit|suite|ste"
            rf"|#)\.?\s*#?\s*\w+)?",
            _is_plain_street,
            _I,
        ),
        digits=1,
    ),
    Rule(
        "geo.po_box",
        "GEO",
        r"(?i)box\s*\d",
        matches(r"\b(?:P\.?\s?O\.?\s*|post\s+office\s+)Box\s*#?\s*\d+", flags=_I),
        digits=1,
    ),
    Rule(
        "geo.unit",
        "GEO",
        r"\b(apt|apartment)\.?\s*#?\s*([A-Za-z]?\d|[A-Z]\b)",
        matches(r"\b(?:apt|apartment)\.?\s*#?\s*(?=[A-Za-z]?\d|[A-Z]\b)[A-Za-z0-9-]+", flags=0),
    ),
    Rule(
        "geo.city_state_zip",
        "GEO",
        rf"[A-Za-z'.-],?\s+({_STATE_CODES}|{_STATES})\.?,?\s+\d{{5}}",
        matches(rf"\b(?P<phi>{_CITY},?\s+(?:{_STATE_CODES}|{_STATES})\.?,?\s+\d{{5}}(?:-\d{{4}})?)(?!\d)"),
        digits=5,
    ),
    Rule(
        "geo.city_state",
        "GEO",
        rf",\s*({_STATE_CODES}|{_STATES})\b",
        _after(
            rf"\b(?:in|from|of|near|to|at|outside|moved|visiting)(?=\s+{_CITY},\s*(?:{_PLAIN_CODES}"
            rf"|{_STATES})\b)",
            0,
        ),
    ),
    Rule(
        "geo.city_before_state",
        "GEO",
        rf",\s*({_STATES})\b",
        matches(
            rf"\b(?P<phi>{_WORD}(?:[ ]{_WORD})?),\s*(?:{_STATES})\b",
            lambda m: (
                m["phi"].split()[0].lower() not in _LARGE
                and m["phi"].split()[0].lower() not in ordinary_words() | {"in"}
            ),
        ),
    ),
    Rule(
        "geo.zip_after_state",
        "GEO",
        rf"\b({_STATE_CODES}|{_STATES})\.?,?\s+\d{{5}}",
        matches(rf"\b(?:{_STATE_CODES}|{_STATES})\.?,?\s+(?P<phi>\d{{5}}(?:-\d{{4}})?)(?![\d-])"),
        digits=5,
    ),
    Rule(
        "geo.zip_labelled",
        "GEO",
        r"(?i)\b(zip|postal)(\s*code)?\W{0,4}(is|of|was)?\W{0,3}\d{5}",
        matches(
            r"\b(?:zip|postal)(?:\s*code)?\W{0,4}(?:is|of|was)?\W{0,3}(?P<phi>\d{5}(?:-?\d{4})?)(?!\d)",
            flags=_I,
        ),
        digits=5,
    ),
    Rule(
        "geo.zip_plus_four", "GEO", r"\d{5}-\d{4}", matches(r"(?<![\w.-])\d{5}-\d{4}(?![\w-]|\.\d)"), digits=9
    ),
    Rule(
        "geo.county",
        "GEO",
        r"[A-Z].*\s(County|Parish|Borough|Township)",
        matches(
            rf"\b(?P<phi>{_WORD}(?:[ ]{_WORD})?\s+(?:County|Parish|Borough|Township))\b",
            lambda m: folded(m["phi"].split()[0]) not in _NO_COUNTY,
        ),
    ),
    Rule(
        "geo.facility",
        "GEO",
        rf"[A-Z][\w'&.-]*([ ]+(of|the|and|at|&|for|in))?[ ]+(?i:{_FACILITY})\b",
        _facility,
    ),
    Rule(
        "geo.lives_in",
        "GEO",
        rf"\b(?i:{_LIVES}\s+(the\s+)?)[A-Z]",
        _after(r"\b" + _LIVES),
    ),
    Rule("name.employer", "NAME", rf"\b(?i:{_EMPLOYED}\s+(the\s+)?)[A-Z]", _after(r"\b" + _EMPLOYED)),
    Rule(
        "geo.coordinates",
        "GEO",
        r"\d\.\d{4}",
        matches(r"(?<![\d.])-?\d{1,3}\.\d{4,}\s*[NS]?\s*,\s*-?\d{1,3}\.\d{4,}\s*[EW]?\b"),
        digits=5,
    ),
    Rule("geo.city", "GEO", _CITY_PATTERN, matches(rf"(?<![\w'-])(?:{_CITY_PATTERN})(?![\w-])"), tier="list"),
)
