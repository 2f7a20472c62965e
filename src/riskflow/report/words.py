"""Numbers said in words: amounts in a few characters, and what a chart shows for who cannot see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def listed(what: str, labels: Sequence[str], values: Iterable[float]) -> str:
    """Return a chart as a sentence: what it is of, then each label with its value."""
    return (
        f"{what}: "
        + ", ".join(f"{label} {value:g}" for label, value in zip(labels, values, strict=True))
        + "."
    )


def short_amount(amount: float) -> str:
    """Return an amount in thousands (k), millions (M) or billions (B), with one decimal; without below a thousand."""
    for limit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if amount >= limit:
            return f"{amount / limit:.1f}{letter}"
    return f"{amount:.0f}"
