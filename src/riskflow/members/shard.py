"""Cut the validated members into shards: all spans, diagnoses and drugs of a member lie in one.

Scores pool a member's own rows and nobody else's, so the number of shards cannot change a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from riskflow import artifacts
from riskflow.config.members import MembersShardStage
from riskflow.contracts.base import Contract
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.receipts import Receipt
from riskflow.sharding import buckets, shard_name, write_manifest, write_shards


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
            data_set, frame = path.parent.name, artifacts.read(path, contract)
            place = Path(folder) / data_set / table
            digests[f"{data_set}_{table}"] = write_shards(frame, "member_id", count, place, contract)
            counts[f"{data_set}_{table}"] = frame.height
            if table == "spans":
                sizes = dict(buckets(frame["member_id"], count).value_counts().iter_rows())
                rows |= {f"{data_set}/{shard_name(n)}": sizes.get(n, 0) for n in range(count)}
    write_manifest(manifest, digests, rows)
    return Receipt(counts={**counts, "shards": count})
