"""Contract of the provider universe: everybody who gets a row, whether or not there is anything to score."""

from __future__ import annotations

import polars as pl

from riskflow.contracts.base import Contract, FrameCheck, column, npi

UNIVERSE = Contract(
    name="providers_universe",
    version=1,
    title="One row per NPI that is paid, excluded or owned",
    key=("npi",),
    columns={
        "npi": column(pl.Int64, "National Provider Identifier", npi()),
        "taxonomy": column(pl.String, "Taxonomy or specialty, where registered", nullable=True),
        "state": column(pl.String, "Two-letter state, where registered", nullable=True),
        "display_name": column(pl.String, "Name as registered, else as excluded or owned", nullable=True),
        "entity_type": column(pl.String, "individual or organization, where registered", nullable=True),
        "updated_at": column(pl.Date, "Day of the registry's last update of the row", nullable=True),
        "npi_luhn_ok": column(
            pl.Boolean, "Whether the check digit (prefix 80840) is right: a flag, not a filter"
        ),
        "in_registry": column(pl.Boolean, "Has a registry row"),
        "has_payments": column(pl.Boolean, "Has payment rows, of any year"),
        "in_exclusions": column(pl.Boolean, "Has an exclusion, of any time"),
        "is_owned": column(pl.Boolean, "Has a listed owner"),
    },
    checks=(
        FrameCheck(
            "known_from_somewhere",
            "each NPI is paid, excluded or owned",
            pl.col("has_payments") | pl.col("in_exclusions") | pl.col("is_owned"),
        ),
    ),
)
