"""National Drug Codes as 11 digits (5-4-2), the form of the CMS RXC tables.

Rule: an FDA code has ten digits in segments 4-4-2, 5-3-2 or 5-4-1; the billing form pads the short segment
with one leading zero to 5-4-2 (FDA National Drug Code Directory, "NDC format"; CMS DIY Table 10a holds
11-digit texts, and a few such as 00117A69204 with a letter after the labeler's digits). Without dashes, ten
digits have three readings and nine digits more: they stay ambiguous.
"""

import polars as pl

_WIDTHS = (5, 4, 2)
_WHOLE = r"^\d{5}[0-9A-Z]\d{5}$"
_SEGMENTS = r"^(\d{4}-[0-9A-Z]\d{3}-\d{2}|\d{5}-\d{3}-\d{2}|\d{5}-[0-9A-Z]\d{3}-\d{1,2})$"


def ndc_11(raw: pl.Expr) -> pl.Expr:
    """Return the 11-digit text of an NDC, or null when it is missing, malformed or ambiguous."""
    text = _stripped(raw)
    segments = text.str.split("-").list
    padded = pl.concat_str(
        [segments.get(i, null_on_oob=True).str.zfill(width) for i, width in enumerate(_WIDTHS)]
    )
    return pl.when(text.str.contains(_WHOLE)).then(text).when(text.str.contains(_SEGMENTS)).then(padded)


def ndc_is_ambiguous(raw: pl.Expr) -> pl.Expr:
    """Return whether a code is nine or ten digits without usable dashes: more than one 11-digit reading."""
    return _stripped(raw).str.contains(r"^(\d{9,10}|\d{5}-\d{4})$")


def _stripped(raw: pl.Expr) -> pl.Expr:
    return raw.str.strip_chars().str.to_uppercase()
