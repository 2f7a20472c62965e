"""Values of the identifiers that rules find: dates in many forms, phones, numbers with their check digits.

All are made up: telephone numbers are 555-01xx, SSNs of the form that is written, e-mail and web addresses
of example domains.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_WORDS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
]
_LUHN_PREFIX = (8, 0, 8, 4, 0)

DATE_FORMS: tuple[Callable[[date], str], ...] = (
    lambda d: f"{d.month}/{d.day}/{d.year}",
    lambda d: f"{d:%m/%d/%Y}",
    lambda d: f"{d:%m/%d/%y}",
    lambda d: f"{d.isoformat()}",
    lambda d: f"{d:%m-%d-%Y}",
    lambda d: f"{_MONTHS[d.month - 1]} {d.day}, {d.year}",
    lambda d: f"{_MONTHS[d.month - 1][:3]} {d.day} {d.year}",
    lambda d: f"{d.day} {_MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{d.day}-{_MONTHS[d.month - 1][:3]}-{d.year}",
    lambda d: f"{_MONTHS[d.month - 1]} {_ordinal(d.day)}",
    lambda d: f"{_MONTHS[d.month - 1]} {d.day}",
    lambda d: f"{d.day:02}{_MONTHS[d.month - 1][:3].upper()}{d.year}",
    lambda d: f"{d:%m.%d.%Y}",
    lambda d: f"the {_WORDS[d.day % 12]} of {_MONTHS[d.month - 1]}",
    lambda d: f"{d.month}/{d.day}",
    lambda d: f"{_MONTHS[d.month - 1]} {d.year}",
)


def date_text(day: date, draw: Random) -> str:
    """Return a day in one of sixteen ways of writing it."""
    return draw.choice(DATE_FORMS)(day)


def full_date_text(day: date, draw: Random) -> str:
    """Return a day, with its year, in one of the ways in which birth dates are written."""
    return draw.choice(DATE_FORMS[:9])(day)


def near(day: date, draw: Random) -> date:
    """Return a day up to 120 days before."""
    return day - timedelta(days=draw.randrange(120))


def phone_text(digits: str, draw: Random) -> str:
    """Return ten digits in one of the ways of writing a telephone number."""
    a, b, c = digits[:3], digits[3:6], digits[6:]
    forms = (
        f"({a}) {b}-{c}",
        f"{a}-{b}-{c}",
        f"{a}.{b}.{c}",
        f"{a} {b} {c}",
        f"+1 {a} {b} {c}",
        f"1-{a}-{b}-{c}",
        digits,
    )
    return draw.choice(forms)


def phone_digits(draw: Random) -> str:
    """Return ten digits whose exchange is 555 (fictitious)."""
    return f"{draw.randrange(201, 989)}555{draw.randrange(100, 200):04}"


def ssn(draw: Random) -> str:
    """Return an SSN-like number, with hyphens, blanks or bare."""
    area = draw.choice([draw.randrange(1, 666), draw.randrange(667, 900)])
    parts = f"{area:03}", f"{draw.randrange(1, 100):02}", f"{draw.randrange(1, 10000):04}"
    return draw.choice(["-", "-", "-", " "]).join(parts)


def npi(draw: Random) -> str:
    """Return a ten-digit NPI with a right check digit (Luhn over 80840 and the first nine, 45 CFR 162.406)."""
    digits = [1, *(draw.randrange(10) for _ in range(8))]
    total = 0
    for place, digit in enumerate(reversed([*_LUHN_PREFIX, *digits])):
        doubled = digit * 2 if place % 2 == 0 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return "".join(map(str, digits)) + str(-total % 10)


def mrn(draw: Random) -> str:
    """Return a medical record number as hospitals write them."""
    number = draw.randrange(100_000, 9_999_999)
    return draw.choice([f"{number:07}", f"MRN{number:08}", f"{number:08}", f"H{number}"])


def coded(shape: str, draw: Random) -> str:
    """Return a code of a shape: A is a letter, 9 a digit, X either, all else itself."""
    letters, digits = "ABCDEFGHJKLMNPRSTUVWXYZ", "0123456789"
    pools = {"A": letters, "9": digits, "X": letters + digits}
    return "".join(draw.choice(pools[c]) if c in pools else c for c in shape)


def ip_address(draw: Random) -> str:
    """Return an IPv4 address of a documentation or private network."""
    host = draw.randrange(1, 255)
    return draw.choice(
        [
            f"10.{draw.randrange(256)}.{draw.randrange(256)}.{host}",
            f"192.168.{draw.randrange(256)}.{host}",
            f"203.0.113.{host}",
        ]
    )


def _ordinal(day: int) -> str:
    suffix = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"
