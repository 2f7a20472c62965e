"""National Provider Identifiers: the check digit."""

from __future__ import annotations

import polars as pl

_PREFIX_SUM = 24  # what the card issuer prefix 80840 adds to the Luhn sum of an NPI


def check_digit(prefix: pl.Expr) -> pl.Expr:
    """Return the tenth digit of NPIs whose first nine digits are `prefix` (Int64).

    Luhn's algorithm over 80840 followed by the nine digits: every other digit from the right is doubled
    (CMS, "Requirements for National Provider Identifier and NPI check digit", 45 CFR 162.406).
    """
    total = pl.lit(_PREFIX_SUM, pl.Int64)
    for place in range(9):
        digit = (prefix // 10**place) % 10
        if place % 2 == 0:
            digit = digit * 2
            digit = digit // 10 + digit % 10
        total = total + digit
    return (10 - total % 10) % 10


def is_valid(npi: pl.Expr) -> pl.Expr:
    """Return whether the check digit of ten-digit NPIs (Int64) is right."""
    return check_digit(npi // 10) == npi % 10
