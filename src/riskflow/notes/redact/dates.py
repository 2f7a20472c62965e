"""Rules for dates except the year, and for ages over 89 (45 CFR 164.514(b)(2)(i)(C))."""

from __future__ import annotations

import re

from riskflow.notes.redact.rule import Rule, matches

_MONTH = (
    r"(?:(?:january|february|march|april|may|june|july|august|september|october|november|december)(?![a-z])"
    r"|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)(?![a-z])\.?)"
)
_NEEDS_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
"""A month, or a word that begins like one: what `needs` of a rule asks before the rule itself is asked."""
_OPENS = r"(?=[adfjmnostw][aceohpru])"
"""How months and weekdays begin: most words are passed over at once."""
_YEAR = r"(?:1[89]|20|21)\d\d"
_SHORT_YEAR = r"(?:'\d\d)"
_M = r"(?:0?[1-9]|1[0-2])"
_D = r"(?:0?[1-9]|[12]\d|3[01])"
_WEEKDAY = r"(?:(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?,?\s+)?"
_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER = f"(?:{'|'.join(_UNITS + _TEENS + _TENS)}|hundred|thousand|oh)"
_ORDINALS = (
    "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth"
    "|fourteenth"
    "|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth"
)
_ORDINAL = rf"(?:(?:twenty|thirty)[-\s])?(?:{_ORDINALS})\b"
_YEAR_WORDS = rf"(?:(?:nineteen|twenty|two\s+thousand|eighteen)(?:[-\s]+(?:and\s+)?{_NUMBER}){{0,3}})"
_ANY_YEAR = rf"(?:{_YEAR}|{_SHORT_YEAR}|{_YEAR_WORDS})"
_NOT_DOSE = r"(?!\s*(?:mg|mcg|ml|units?|tablets?|tabs?|%|[./]\d|\d))"
_CONTEXT = (
    r"(?:on|in|since|dated?|from|until|till|by|through|thru|due|seen|starting|started|before|after|dos|dob"
    r"|lmp|between"
    r"|appointment|appt|f/u|admitted|discharged|visit|date|of|scheduled|expires|exp|adm|d/c|last|next|for)"
)
_HOLIDAYS = (
    r"christmas(?:\s+(?:eve|day))?|xmas|thanksgiving(?:\s+day)?|new\s+year'?s(?:\s+(?:eve|day))?"
    r"|easter(?:\s+sunday)?"
    r"|fourth\s+of\s+july|july\s+4th|independence\s+day|memorial\s+day|labor\s+day|veterans?'?\s+day"
    r"|halloween"
    r"|valentine'?s\s+day|mother'?s\s+day|father'?s\s+day|st\.?\s+patrick'?s\s+day|cinco\s+de\s+mayo"
    r"|hanukkah"
    r"|yom\s+kippur|rosh\s+hashanah|passover|ramadan|eid|diwali|kwanzaa|mlk\s+day|presidents'?\s+day"
    r"|columbus\s+day"
)
_AMBIGUOUS_MONTHS = {
    "may",
    "mar",
    "march",
    "dec",
    "sep",
    "jan",
    "jun",
    "nov",
    "oct",
    "aug",
    "august",
    "apr",
    "feb",
}


def _valid_day_and_month(match: re.Match[str]) -> bool:
    first, second = int(match["a"]), int(match["b"])
    return 1 <= min(first, second) <= 12 and 1 <= max(first, second) <= 31


def _is_month(match: re.Match[str]) -> bool:
    """A lower-case word such as `may` counts as a month only beside a year."""
    word = match["month"].rstrip(".")
    return not word.islower() or word not in _AMBIGUOUS_MONTHS or bool(match.groupdict().get("year"))


def _is_capital_month(match: re.Match[str]) -> bool:
    word = match["phi"].rstrip(".")
    return word[0].isupper() or word not in _AMBIGUOUS_MONTHS


def _is_no_score(match: re.Match[str]) -> bool:
    """Pain 7/10, strength 5/5, vision 20/20 and half a tablet are no dates."""
    around = match.string[max(0, match.start() - 40) : match.end() + 25].lower()
    score = re.search(
        r"pain|strength|score|scale|apgar|murmur|vision|grade|intensity|power|reflex|out of|tab", around
    )
    numbers = set(re.findall(r"\d+", match["phi"]))
    same = len(numbers) == 1 and match["phi"].count("/") == 1
    dated = _DATED.search(match.string, max(0, match.start("phi") - 8), match.start("phi")) is not None
    return score is None and not (same and not (dated and not numbers & _FULL_SCORES))


_DATED = re.compile(r"(?i)\b(?:on|before|after|since|until|due|dated?)\s+$")
_FULL_SCORES = frozenset({"3", "4", "5", "10", "15"})


def _is_no_temperature(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - 18) : match.start()].lower()
    return re.search(r"(?:temp\w*|tmax|fever|febrile|\bt)\W*(?:of|was|is|to|at)?\W*$", before) is None


_I = re.IGNORECASE
_AGE = r"(?:9\d|1[0-4]\d)"
_AGE_WORDS = (
    rf"(?:ninety(?:[-\s](?:{'|'.join(_UNITS)}))?"
    rf"|(?:a|one)[-\s]hundred(?:[-\s](?:and[-\s])?(?:{'|'.join(_UNITS + _TEENS)}))?)"
)

RULES: tuple[Rule, ...] = (
    Rule(
        "date.iso",
        "DATE",
        r"\d{4}\s?[-/.]\s?\d",
        matches(
            rf"(?<![\d.])(?:1[89]|20|21)\d\d(?P<sep>[-/.]){_M}(?P=sep){_D}"
            r"(?:T\d\d:?\d\d(?::?\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)"
        ),
        digits=5,
    ),
    Rule(
        "date.numeric",
        "DATE",
        r"\d\s?[-/.]\s?\d{1,2}\s?[-/.]\s?\d{4}",
        matches(
            rf"(?<![\d.])(?P<a>\d\d?)\s?(?P<sep>[-/.])\s?(?P<b>\d\d?)\s?(?P=sep)\s?{_YEAR}(?!\d)",
            _valid_day_and_month,
        ),
        digits=6,
    ),
    Rule(
        "date.numeric_short_year",
        "DATE",
        r"\d[-/.]\d{1,2}[-/.]\d\d",
        matches(
            r"(?<![\d./-])(?:(?P<a>\d\d?)(?P<sep>[-/])(?P<b>\d\d?)(?P=sep)\d\d|\d\d\.(?:0\d"
            r"|1[0-2])\.\d\d)(?![\d/]|[.-]\d)",
            lambda match: match["a"] is None or _valid_day_and_month(match),
        ),
        digits=4,
    ),
    Rule(
        "date.compact",
        "DATE",
        r"(?:19|20)\d{6}",
        matches(
            r"(?<![\w.-])(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d"
            r"|3[01])(?:T?\d{4}(?:\d\d)?)?(?![\w-])"
        ),
        digits=8,
    ),
    Rule(
        "date.labelled_digits",
        "DATE",
        r"(?i)(dob|birth|dos|dod)\b",
        matches(
            r"\b(?:dob|d\.o\.b\.|birth\s?date|date of birth|dos|dod)\W{0,4}(?P<phi>\d{6}|\d{8})(?!\d)",
            flags=_I,
        ),
        digits=6,
    ),
    Rule(
        "date.month_day",
        "DATE",
        rf"(?i)\b{_NEEDS_MONTH}[\s-]+(the\s+)?\d",
        matches(
            rf"{_OPENS}\b{_WEEKDAY}(?P<month>{_MONTH})[\s-]+(?:the\s+)?{_D}(?:st|nd|rd|th)?"
            rf"(?:(?:\s*,\s*|\s+(?:of\s+)?|-)(?P<year>{_ANY_YEAR})\b)?\b{_NOT_DOSE}",
            _is_month,
            _I,
        ),
        digits=1,
    ),
    Rule(
        "date.day_month",
        "DATE",
        rf"(?i)\d(st|nd|rd|th)?(\s+day)?(\s+of\s+|[ ./-])?{_NEEDS_MONTH}",
        matches(
            rf"(?=[mtwfs0-9])(?<![\d/.])\b{_WEEKDAY}(?:the\s+)?{_D}(?:st|nd|rd|th)?(?:\s+day)?(?:\s+of\s+"
            rf"|[ ./-]?)(?P<month>{_MONTH})"
            rf"(?:[\s,./-]*(?:of\s+)?(?P<year>{_ANY_YEAR}|\d\d(?!\d|\s*(?:mg|mcg|ml|%))))?\b(?![\d])",
            _is_month,
            _I,
        ),
        digits=1,
    ),
    Rule(
        "date.month_year",
        "DATE",
        rf"(?i)\b{_NEEDS_MONTH}(\s+of)?[\s,/-]*('\d|1[89]\d\d|2[01]\d\d|nineteen|twenty|two\s|eighteen)",
        matches(rf"{_OPENS}\b(?P<month>{_MONTH})(?:\s+of)?[\s,/-]*(?P<year>{_ANY_YEAR})\b", flags=_I),
    ),
    Rule(
        "date.numeric_month_year",
        "DATE",
        r"\d[/-](?:19|20)\d\d",
        matches(rf"(?<![\d/.-]){_M}[/-](?:19|20)\d\d(?![\d/]|-\d)"),
        digits=5,
    ),
    Rule(
        "date.numeric_day",
        "DATE",
        rf"(?i)\b{_CONTEXT}\b[\s:]*(the\s+)?\d{{1,2}}/\d",
        matches(
            rf"(?i:\b{_CONTEXT})\b[\s:]*(?:the\s+)?(?P<phi>{_M}/{_D}(?:\s*(?:-|to|thru|through|and"
            rf"|&)\s*{_M}/{_D})?)(?![\d/%]|\.\d)",
            _is_no_score,
        ),
        digits=2,
    ),
    Rule(
        "date.numeric_range",
        "DATE",
        r"\d/\d{1,2}\s*(-|to|through|thru)\s*\d{1,2}/\d",
        matches(
            rf"(?<![\d/.])(?P<phi>{_M}/{_D}\s*(?:-|to|thru|through)\s*{_M}/{_D})(?![\d/%]"
            rf"|\.\d)",
            _is_no_score,
        ),
        digits=4,
    ),
    Rule(
        "date.words",
        "DATE",
        rf"(?i)({_ORDINALS})\s+(day\s+)?(of\s+)?{_NEEDS_MONTH}",
        matches(
            rf"\b{_WEEKDAY}(?:(?:the\s+)?{_ORDINAL}\s+(?:day\s+)?(?:of\s+)?(?P<month>{_MONTH})"
            rf"(?:,?\s+(?:of\s+|in\s+)?(?P<year>{_ANY_YEAR}))?)(?![-\w])",
            _is_month,
            _I,
        ),
    ),
    Rule(
        "date.month_words",
        "DATE",
        rf"(?i)\b{_NEEDS_MONTH}\s+(the\s+)?({_ORDINALS}|twenty|thirty)",
        matches(
            rf"{_OPENS}\b{_WEEKDAY}(?P<month>{_MONTH})\s+(?:the\s+)?(?:{_ORDINAL}|(?:twenty"
            rf"|thirty)[-\s](?:{'|'.join(_UNITS)})\b)"
            rf"(?:,?\s+(?:of\s+|in\s+)?(?P<year>{_ANY_YEAR}))?(?![-\w])",
            _is_month,
            _I,
        ),
    ),
    Rule(
        "date.month_alone",
        "DATE",
        rf"(?i)\b(in|since|during|until|till|by|last|next|this|early|late|mid|of|from|through|before"
        rf"|after|every|each)[\s-]+{_NEEDS_MONTH}",
        matches(
            rf"(?i:\b(?:in|since|during|until|till|by|last|next|this|early|late|mid|of|from|through|before"
            rf"|after|every|each)[\s-]+)"
            rf"(?P<phi>(?i:{_MONTH}))(?!\s+(?:be|have|need|require)\b)(?![\w'])",
            _is_capital_month,
        ),
    ),
    Rule(
        "date.holiday",
        "DATE",
        rf"(?i)\b({_HOLIDAYS})\b",
        matches(rf"\b(?:{_HOLIDAYS})\b(?!\s+(?:disease|factor|tree))(?:,?\s+(?:of\s+)?{_YEAR})?", flags=_I),
    ),
    Rule(
        "date.birth_year",
        "DATE",
        r"(?i)\b(born|birth\s?year|year of birth|yob)\b\W{0,3}(in|is|was)?\W{0,3}(1[89]|20|21)\d\d",
        matches(
            rf"\b(?:born|birth\s?year|year of birth|yob)\b\W{{0,3}}(?:in|is"
            rf"|was)?\W{{0,3}}(?P<phi>{_YEAR})\b(?![-/]\d)",
            flags=_I,
        ),
        digits=4,
    ),
    Rule(
        "age.digits",
        "AGE",
        r"(?i)(9\d|1[0-4]\d)(\.\d)?[\s-]*y",
        matches(
            rf"(?<![\d./])(?P<phi>{_AGE})(?:\.\d)?[\s-]*(?:(?:years?|yrs?)(?:[\s-]+(?:old|of age|young|man"
            rf"|woman|male|female)\b|-old)|y\.?\s?/?\s?o\.?\b|y/o\b|yo\b|yof\b|yom\b|y\b)",
            flags=_I,
        ),
        digits=2,
    ),
    Rule(
        "age.labelled",
        "AGE",
        r"(?i)\b(age[ds]?(\s+(is|of|was|at \w+))?|turn(ed|ing|s)|is now)\W{0,3}(9\d|1[0-4]\d)",
        matches(
            rf"\b(?:age[ds]?(?:\s+(?:is|of|was|at \w+))?|turn(?:ed|ing|s)"
            rf"|is now)\W{{0,3}}(?P<phi>{_AGE})(?![\d/%]|\.\d)\b",
            flags=_I,
        ),
        digits=2,
    ),
    Rule(
        "age.with_sex",
        "AGE",
        r"\b(9\d|1[0-4]\d)[\s-]?(M|F|m|f|male|female|man|woman)\b",
        matches(
            rf"(?<![\d./])(?P<phi>{_AGE})(?:[MF]\b|[\s-](?:male|female|man|woman)\b|\s[MF]\s(?=with|who"
            rf"|presents|admitted|s/p|h/o))",
            _is_no_temperature,
        ),
        digits=2,
    ),
    Rule(
        "age.words",
        "AGE",
        r"(?i)(ninety|hundred|nineties|90'?s|nonagenarian|centenarian)",
        matches(
            rf"\b(?P<phi>{_AGE_WORDS}(?=[-\s](?:years?|yrs?)[-\s]?(?:old|of age)?)|(?:super)?centenarian"
            rf"|nonagenarian|(?<=\bin his )(?:(?:early|mid|late)[-\s])?(?:nineties|90'?s)"
            rf"|(?<=\bin her )(?:(?:early|mid|late)[-\s])?(?:nineties|90'?s)|(?<=\bin their )(?:(?:early"
            rf"|mid|late)[-\s])?(?:nineties|90'?s))",
            flags=_I,
        ),
    ),
)
