"""Merge the scored shards of one data set: exactly those planned, a score per span, nobody twice."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.contracts.members_scores import REJECTED, SCORES
from riskflow.errors import RiskflowError
from riskflow.receipts import Receipt
from riskflow.sharding import shard_rows


def run(*, data_set: str, scored: Path, unused: Path, plan: Path, output: Path, rejected: Path) -> Receipt:
    """Merge `<scored>/<shard>.parquet` and the rejected evidence in `<unused>/<shard>.parquet` of a data set."""
    mine = f"{data_set}/"
    planned = {
        name.removeprefix(mine): rows for name, rows in shard_rows(plan).items() if name.startswith(mine)
    }
    frames = {shard: artifacts.read(scored / f"{shard}.parquet", SCORES) for shard in sorted(planned)}
    check_rows({shard: frame.height for shard, frame in frames.items()}, planned)
    scores = pl.concat(frames.values())
    lost = pl.concat(artifacts.read(unused / f"{shard}.parquet", REJECTED) for shard in sorted(planned))
    artifacts.write(scores, output, SCORES)
    artifacts.write(lost, rejected, REJECTED)
    return Receipt(
        counts={
            "shards": len(frames),
            "scores": scores.height,
            "members": scores["member_id"].n_unique(),
            "rejected": lost.height,
        }
    )


def check_rows(found: dict[str, int], planned: dict[str, int]) -> None:
    """Raise RiskflowError when the shards are not those of the plan, or one has another number of spans."""
    if not planned:
        raise RiskflowError("merge: the plan has no shards of this data set", "run the shard stage again")
    wrong = sorted(shard for shard in found if found[shard] != planned[shard])
    if wrong:
        raise RiskflowError(
            f"merge: {len(wrong)} shards hold another number of spans than planned; shard {wrong[0]} has "
            f"{found[wrong[0]]}, the plan says {planned[wrong[0]]}",
            f"the shard file is of another run; delete the scores of shard {wrong[0]} and run again",
        )
