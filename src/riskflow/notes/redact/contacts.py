"""Rules for telephone and fax numbers, e-mail, web and internet protocol addresses."""

from __future__ import annotations

import ipaddress
import re

from riskflow.notes.redact.checksums import is_npi
from riskflow.notes.redact.rule import Rule, matches

_I = re.IGNORECASE
_EXTENSION = r"(?:\s*,?\s*(?:x|ext\.?|extension|#)\s*\d{1,6}\b)?"
_NANP = r"(?:\+?1[\s.-]?)?(?:\(\s?\d{3}\s?\)\s?[-.]?\s?|\d{3}\s?[-./]\s?|\d{3}\s)\d{3}\s?[-.\s]\s?\d{4}"
_TELEPHONE_WORD = re.compile(
    r"(?:call(?:ed|back)?|phone|tel|telephone|cell|mobile|pager|beeper|contact|home|work|number|ph|text|reach\w*|line|"
    r"voicemail|hotline|fax|at|@)\W{0,4}(?:is|was|at|on|no|number|#)?\W{0,4}$",
    _I,
)
_TLDS = "com|org|net|edu|gov|mil|io|info|health|us|co|uk|ca|biz|me|app|dev|care"
_DIGIT_WORD = "(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"


def _has_telephone_word(match: re.Match[str]) -> bool:
    return _TELEPHONE_WORD.search(match.string[max(0, match.start() - 30) : match.start()]) is not None


def _is_bare_telephone(match: re.Match[str]) -> bool:
    """Ten digits that could be a telephone number, unless they are a provider's NPI without a telephone word."""
    digits = match["phi"]
    possible = digits[0] in "23456789" and digits[3] in "23456789"
    return _has_telephone_word(match) or (possible and not (digits[0] == "2" and is_npi(digits)))


def _is_short_telephone(match: re.Match[str]) -> bool:
    return match["phi"].startswith("555") or _has_telephone_word(match)


def _is_international(match: re.Match[str]) -> bool:
    return 8 <= sum(character.isdigit() for character in match[0]) <= 15


def _is_ip_address(match: re.Match[str]) -> bool:
    try:
        ipaddress.ip_address(match["phi"])
    except ValueError:
        return False
    return True


RULES: tuple[Rule, ...] = (
    Rule(
        "fax.labelled",
        "FAX",
        r"(?i)fax",
        matches(
            rf"\b(?:fax|facsimile|fx)\b[^\d\n(+]{{0,18}}(?P<phi>{_NANP}|\d{{10}}|\d{{3}}[-.\s]\d{{4}}|\+\d[\d\s().-]{{7,18}}\d)(?!\d)",
            flags=_I,
        ),
        digits=7,
    ),
    Rule(
        "phone.formatted",
        "PHONE",
        r"\d{3}\s?\)?\s?[-./\s]?\s?\d{3}\s?[-.\s]\s?\d{4}",
        matches(rf"(?<![\w.+-])(?P<phi>{_NANP}{_EXTENSION})(?![\d-]|\.\d)", flags=_I),
        digits=10,
    ),
    Rule(
        "phone.bare",
        "PHONE",
        r"\d{10}",
        matches(r"(?<![\w.,+-])(?P<phi>\d{10})(?![\w-]|[.,]\d)", _is_bare_telephone),
        digits=10,
    ),
    Rule(
        "phone.bare_country",
        "PHONE",
        r"1\d{10}",
        matches(r"(?<![\w.,-])(?P<phi>\+?1[2-9]\d{2}[2-9]\d{6})(?![\w-]|[.,]\d)"),
        digits=11,
    ),
    Rule(
        "phone.short",
        "PHONE",
        r"\d{3}[-.\s]\d{4}",
        matches(
            rf"(?<![\w.-])(?P<phi>[2-9]\d\d[-.\s]\d{{4}}{_EXTENSION})(?![\w-]|\.\d|\s*(?:mg|ml|mcg|units|kcal|cal|g)\b)",
            _is_short_telephone,
            _I,
        ),
        digits=7,
    ),
    Rule(
        "phone.international",
        "PHONE",
        r"\+\d",
        matches(
            r"(?<![\w.])(?P<phi>\+\d{1,3}[\s.-]?(?:\(?\d{1,5}\)?[\s.-]?){2,5}\d)(?!\d)", _is_international
        ),
        digits=1,
    ),
    Rule(
        "phone.international_prefix",
        "PHONE",
        r"\b011[\s-]\d",
        matches(
            r"(?<![\w.])(?P<phi>011[\s-]\d{1,3}[\s.-](?:\(?\d{1,5}\)?[\s.-]?){2,5}\d)(?!\d)",
            _is_international,
        ),
        digits=4,
    ),
    Rule(
        "phone.extension",
        "PHONE",
        r"(?i)(ext|pager|beeper|x\s?\d)",
        matches(
            r"\b(?:ext\.?|extension|pager|beeper)\s*(?:is\s*|no\.?\s*|number\s*|#|:)*\s*(?P<phi>\d{3,7})\b",
            flags=_I,
        ),
        digits=3,
    ),
    Rule(
        "phone.words",
        "PHONE",
        r"(?i)(zero|one|two|three|four|five|six|seven|eight|nine)[\s,-]+(zero|oh|one|two|three|four|five|six|seven|eight|nine)",
        matches(rf"\b(?P<phi>{_DIGIT_WORD}(?:[\s,.-]+{_DIGIT_WORD}){{6,}})\b", flags=_I),
    ),
    Rule(
        "email",
        "EMAIL",
        r"@",
        matches(r"[A-Za-z0-9][A-Za-z0-9._%+'-]*\s?@\s?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    ),
    Rule(
        "email.spelled",
        "EMAIL",
        r"(?i)\bat\b.*\bdot\b|@|\[at\]|\(at\)",
        matches(
            rf"\b[\w.+-]+\s*(?:\[at\]|\(at\)|\s+at\s+|@)\s*[\w-]+(?:\s*(?:\[dot\]|\(dot\)|\s+dot\s+|\.)\s*[\w-]+)*\s*(?:\[dot\]|\(dot\)|\s+dot\s+|\.)\s*(?:{_TLDS})\b",
            flags=_I,
        ),
    ),
    Rule(
        "handle",
        "ID",
        r"(^|\s)@[A-Za-z]",
        matches(r"(?<![\w.])@[A-Za-z_][\w.]{2,}\w"),
    ),
    Rule(
        "url.scheme",
        "URL",
        r"(?i)(://|www\.)",
        matches(
            r"(?:\b(?:https?|ftps?|sftp|file|s3|smb)://|\bwww\.)[^\s<>\"\])}]*[^\s<>\"\])}.,;:!?']", flags=_I
        ),
    ),
    Rule(
        "url.domain",
        "URL",
        rf"(?i)\.({_TLDS})\b",
        matches(
            rf"(?<![@\w.-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:{_TLDS})\b(?![@\w-]|\.\w)(?::\d+)?(?:/[^\s<>\"\])}}]*[^\s<>\"\])}}.,;:!?'])?",
            lambda m: len(m[0]) > 5,
            _I,
        ),
    ),
    Rule(
        "ip.v4",
        "IP",
        r"\d+\.\d+\.\d+\.\d+",
        matches(r"(?<![\w.])(?P<phi>\d{1,3}(?:\.\d{1,3}){3})(?:/\d{1,2})?(?![\w]|\.\d)", _is_ip_address),
        digits=4,
    ),
    Rule(
        "ip.v6",
        "IP",
        r"(?i)[0-9a-f]*:[0-9a-f]*:[0-9a-f]*",
        matches(
            r"(?<![\w:.])(?P<phi>(?=[0-9a-f:]*[0-9a-f])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\d{0,3}(?:\.\d{1,3}){3})?)(?![\w:])",
            _is_ip_address,
            _I,
        ),
    ),
    Rule(
        "mac_address",
        "DEVICE",
        r"(?i)[0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2}[:-]",
        matches(
            r"(?<![\w:-])[0-9a-f]{2}(?:(?P<s>[:-])[0-9a-f]{2})(?:(?P=s)[0-9a-f]{2}){4}(?![\w:-])", flags=_I
        ),
    ),
)
