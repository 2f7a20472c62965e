"""Merge the shards of a run: exactly the expected shards, every NPI once, no row lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.contracts.providers_scores import MERGED, SHARD_SCORES
from riskflow.errors import RiskflowError
from riskflow.receipts import Receipt
from riskflow.sharding import planned_files, shard_rows


def merged_shards(shards: Mapping[str, pl.DataFrame], expected_rows: Mapping[str, int]) -> pl.DataFrame:
    """Return all rows of the shards, sorted by npi.

    `shards`: shard name → its scores; `expected_rows`: shard name → NPIs that the plan gave it.
    Raises RiskflowError when a shard is missing or foreign, when one holds another number of rows than
    planned, or when an NPI comes twice.
    """
    _check_set(set(shards), set(expected_rows))
    wrong = [number for number in sorted(shards) if shards[number].height != expected_rows[number]]
    if wrong:
        first = wrong[0]
        raise RiskflowError(
            f"merge: {len(wrong)} shards hold another number of NPIs than planned; shard {first} has "
            f"{shards[first].height}, the plan says {expected_rows[first]}",
            f"the shard file is of another run; delete the scores of shard {first} and run again",
        )
    merged = pl.concat(shards[number] for number in sorted(shards)).sort("npi")
    repeated = merged.height - merged["npi"].n_unique()
    if repeated:
        raise RiskflowError(
            f"merge: {repeated} NPIs come from more than one shard",
            "shards of two runs are mixed; delete the shard folder and run again",
        )
    return merged


def run(*, folder: Path, plan: Path, output: Path) -> Receipt:
    """Merge the shard files in a folder, named by their shards, after checking them against the plan."""
    frames = {path.stem: artifacts.read(path, SHARD_SCORES) for path in planned_files(folder, plan)}
    merged = merged_shards(frames, shard_rows(plan))
    artifacts.write(merged, output, MERGED)
    return Receipt(counts={"shards": len(frames), "providers": merged.height})


def _check_set(found: set[str], expected: set[str]) -> None:
    missing, foreign = sorted(expected - found), sorted(found - expected)
    if missing or foreign:
        told = [f"missing: {_some(missing)}"] * bool(missing) + [f"not of this run: {_some(foreign)}"] * bool(
            foreign
        )
        raise RiskflowError(
            f"merge: the shards are not those of the plan ({'; '.join(told)})", "run the shard stage again"
        )


def _some(numbers: list[str]) -> str:
    shown = ", ".join(numbers[:10])
    return shown + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")
