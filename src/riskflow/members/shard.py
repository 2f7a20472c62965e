"""Cut the validated members into shards: all spans, diagnoses and drugs of a member lie in one.

Scores pool a member's own rows and nobody else's, so the number of shards cannot change a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from riskflow import artifacts
from riskflow.config.members import MembersShardStage
from riskflow.contracts.base import Contract
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.receipts import Receipt
from riskflow.sharding import buckets, shard_name, write_manifest


def run(
    *,
    spans: list[Path],
    diagnoses: list[Path],
    drugs: list[Path],
    folder: str,
    manifest: Path,
    config: MembersShardStage,
) -> Receipt:
    """Write `<folder>/<data set>/{spans,diagnoses,drugs}/<shard>.parquet` and the manifest of their digests.

    A data set is called by the folder of its tables; its parts are known in the manifest as `<data set>_spans`
    and so on, and its rows (spans, each of which gets a score) as `<data set>/<shard>`.
    """
    count = config.shards.count
    digests: dict[str, dict[str, str]] = {}
    rows: dict[str, int] = {}
    counts: dict[str, int] = {}
    parts: Sequence[tuple[str, list[Path], Contract]] = (
        ("spans", spans, SPANS),
        ("diagnoses", diagnoses, DIAGNOSES),
        ("drugs", drugs, DRUGS),
    )
    for table, paths, contract in parts:
        for path in paths:
            data_set = path.parent.name
            place = Path(folder) / data_set / table
            written = write_cut(artifacts.read(path, contract), count, place, contract)
            digests[f"{data_set}_{table}"] = {shard: one.digest for shard, one in written.items()}
            counts[f"{data_set}_{table}"] = sum(one.rows for one in written.values())
            if table == "spans":
                rows |= {f"{data_set}/{shard}": one.rows for shard, one in written.items()}
    write_manifest(manifest, digests, rows)
    return Receipt(counts={**counts, "shards": count})


def write_cut(
    frame: pl.DataFrame, count: int, folder: Path, contract: Contract
) -> dict[str, artifacts.Artifact]:
    """Write `<folder>/<shard>.parquet` for every shard, empty ones too; return shard name → artifact.

    The frame is sorted by member, as its artifact is: a member is looked at once, and no shard has to be sorted.
    """
    bucket = row_buckets(frame["member_id"], count)
    written = {}
    for number in range(count):
        mine = frame.filter(pl.Series(bucket == number))
        path = folder / f"{shard_name(number)}.parquet"
        written[shard_name(number)] = artifacts.write(mine, path, contract)
    return written


def row_buckets(members: pl.Series, count: int) -> npt.NDArray[np.uint32]:
    """Return the shard number of each row, looked up once per run of equal members."""
    begins = members.ne_missing(members.shift(1)).fill_null(True).to_numpy(writable=True)
    begins[:1] = True
    of_run = buckets(members.filter(pl.Series(begins)), count).to_numpy()
    found: npt.NDArray[np.uint32] = of_run[np.cumsum(begins, dtype=np.int32) - 1]
    return found
