"""Who gets a row: every NPI that is paid, excluded or owned, so that nobody of them is silently unscored."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.contracts.providers_sources import EXCLUSIONS, OWNERSHIP, PAYMENTS, REGISTRY
from riskflow.contracts.providers_universe import UNIVERSE
from riskflow.providers.npi import is_valid
from riskflow.receipts import Receipt


def universe(
    registry: pl.DataFrame, paid: pl.DataFrame, exclusions: pl.DataFrame, ownership: pl.DataFrame
) -> pl.DataFrame:
    """Return one row per NPI that is paid, excluded or owned, in the columns of UNIVERSE.

    A registry row alone gives none: most registered providers never bill. `paid` needs the column npi only.
    The name comes from the registry, else from the newest exclusion, else from the ownership table (smallest
    name, so that the order of rows does not matter); taxonomy and state, which decide who the peers are,
    from the registry only.
    """
    newest = exclusions.sort("excl_date", "exclusion_id", descending=[True, False])
    excluded = _first_name(newest.select("npi", "name"))
    owned = _first_name(ownership.select(npi="owned_npi", name="owned_name").sort("name"))
    everybody = pl.concat([frame.select("npi") for frame in (paid, excluded, owned)]).unique()
    return (
        everybody.join(registry.drop("npi_luhn_ok").with_columns(in_registry=True), on="npi", how="left")
        .join(paid.select("npi").unique().with_columns(has_payments=True), on="npi", how="left")
        .join(excluded.with_columns(in_exclusions=True), on="npi", how="left")
        .join(owned.with_columns(is_owned=True), on="npi", how="left", suffix="_owned")
        .with_columns(
            pl.coalesce("display_name", "name", "name_owned").alias("display_name"),
            is_valid(pl.col("npi")).alias("npi_luhn_ok"),
            pl.col("in_registry", "has_payments", "in_exclusions", "is_owned").fill_null(False),
        )
        .select(list(UNIVERSE.columns))
        .sort("npi")
    )


def run(*, registry: Path, payments: Path, exclusions: Path, ownership: Path, output: Path) -> Receipt:
    """Write the universe of a run."""
    registered = artifacts.read(registry, REGISTRY)
    paid = artifacts.scan(payments, PAYMENTS).select("npi").unique().collect(engine="streaming")
    frame = universe(
        registered, paid, artifacts.read(exclusions, EXCLUSIONS), artifacts.read(ownership, OWNERSHIP)
    )
    artifacts.write(frame, output, UNIVERSE)
    flags = ("in_registry", "has_payments", "in_exclusions", "is_owned")
    return Receipt(counts={"providers": frame.height, **{flag: int(frame[flag].sum()) for flag in flags}})


def _first_name(frame: pl.DataFrame) -> pl.DataFrame:
    """Return npi and the first known name, one row per NPI."""
    known = frame.filter(pl.col("npi").is_not_null())
    return known.group_by("npi", maintain_order=True).agg(pl.col("name").drop_nulls().first())
