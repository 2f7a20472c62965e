"""Check digits and number ranges that tell identifiers from measurements."""

from __future__ import annotations

_VIN_VALUES = dict(
    zip(
        "ABCDEFGHJKLMNPRSTUVWXYZ",
        (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9),
        strict=True,
    )
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def passes_luhn(digits: str) -> bool:
    """Return whether a text of digits passes the Luhn check (ISO/IEC 7812-1)."""
    doubled = [int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_npi(digits: str) -> bool:
    """Return whether ten digits are an NPI: first digit 1 or 2, Luhn with prefix 80840 (45 CFR 162.406)."""
    return len(digits) == 10 and digits.isdigit() and digits[0] in "12" and passes_luhn("80840" + digits)


def is_possible_ssn(digits: str) -> bool:
    """Return whether nine digits can be a social security number.

    Area 000, 666 and 900-999, group 00 and serial 0000 are never issued (SSA POMS RM 10201.030).
    """
    if len(digits) != 9 or not digits.isdigit():
        return False
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def is_vin(text: str) -> bool:
    """Return whether 17 characters are a vehicle identification number with a right check digit (49 CFR 565.15)."""
    characters = text.upper()
    if len(characters) != 17 or any(c not in _VIN_VALUES and not c.isdigit() for c in characters):
        return False
    values = (int(c) if c.isdigit() else _VIN_VALUES[c] for c in characters)
    rest = sum(value * weight for value, weight in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    return characters[8] == ("X" if rest == 10 else str(rest))


def is_dea_number(text: str) -> bool:
    """Return whether two letters and seven digits are a DEA registration number with a right check digit."""
    digits = text[2:]
    if len(digits) != 7 or not digits.isdigit():
        return False
    odd = sum(int(digits[i]) for i in (0, 2, 4))
    even = sum(int(digits[i]) for i in (1, 3, 5))
    return (odd + 2 * even) % 10 == int(digits[6])
