"""Cut the population into shards by NPI; a delta run keeps only the providers that it is about."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import DeltaSection, ShardStage
from riskflow.contracts.providers_scores import METRICS, PROGRAMS
from riskflow.contracts.providers_universe import UNIVERSE
from riskflow.errors import RiskflowError
from riskflow.receipts import Receipt
from riskflow.sharding import buckets, shard_name, write_manifest, write_shards


def selected(universe: pl.DataFrame, delta: DeltaSection) -> pl.DataFrame:
    """Return the providers that the run is about: all, or those named and those updated after a day.

    Raises RiskflowError when a named NPI is unknown, or when nobody is left.
    """
    if not delta.only and delta.newer_than is None:
        return universe
    named = pl.col("npi").is_in(delta.only)
    newer = pl.lit(False) if delta.newer_than is None else (pl.col("updated_at") > delta.newer_than)
    chosen = universe.filter(named | newer.fill_null(False))
    unknown = len(set(delta.only)) - universe.filter(named).height
    if unknown:
        raise RiskflowError(
            f"{unknown} of {len(set(delta.only))} NPIs in providers.delta.only are in none of the sources",
            "check them against the registry, payments, exclusions and ownership files",
        )
    if chosen.is_empty():
        raise RiskflowError(
            "no provider is newer than providers.delta.newer_than",
            "set an earlier day, or null to score everybody",
        )
    return chosen


def run(
    *, universe: Path, metrics: Path, programs: Path, folder: str, manifest: Path, config: ShardStage
) -> Receipt:
    """Write `<folder>/{universe,metrics,programs}/<shard>.parquet` and the manifest of their digests."""
    count, target = config.shards.count, Path(folder)
    chosen = selected(artifacts.read(universe, UNIVERSE), config.delta)
    digests = {"universe": write_shards(chosen, "npi", count, target / "universe", UNIVERSE)}
    rows = chosen.select(buckets(chosen["npi"], count)).group_by("bucket").len()
    planned = {shard_name(number): size for number, size in rows.sort("bucket").iter_rows()}
    for name, path, contract in (("metrics", metrics, METRICS), ("programs", programs, PROGRAMS)):
        mine = (
            artifacts.scan(path, contract).join(chosen.lazy().select("npi"), on="npi", how="semi").collect()
        )
        digests[name] = write_shards(mine, "npi", count, target / name, contract)
    write_manifest(
        manifest, digests, {shard_name(number): planned.get(shard_name(number), 0) for number in range(count)}
    )
    return Receipt(counts={"providers": chosen.height, "shards": count})
