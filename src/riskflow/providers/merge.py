"""Merge the shards of a run: exactly the expected shards, every NPI once, no row lost."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from riskflow.errors import RiskflowError


def merged_shards(shards: Mapping[int, pl.DataFrame], expected_rows: Mapping[int, int]) -> pl.DataFrame:
    """Return all rows of the shards, sorted by npi.

    `shards`: shard number → its scores; `expected_rows`: shard number → NPIs that the plan gave it.
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


def _check_set(found: set[int], expected: set[int]) -> None:
    missing, foreign = sorted(expected - found), sorted(found - expected)
    if missing or foreign:
        told = [f"missing: {_some(missing)}"] * bool(missing) + [f"not of this run: {_some(foreign)}"] * bool(
            foreign
        )
        raise RiskflowError(
            f"merge: the shards are not those of the plan ({'; '.join(told)})", "run the shard stage again"
        )


def _some(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return shown + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")
