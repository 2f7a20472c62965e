"""Static shards: a stable bucket per key, files with digests, and the plan that tells which shard is new.

The number of shards comes from config, so that a dry run lists every job. A shard file is written anew on
every run of the shard stage; its content digest, kept in the manifest and then in the plan, decides whether
anything works on it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.contracts.base import Contract
from riskflow.errors import RiskflowError
from riskflow.files import write_text
from riskflow.receipts import Receipt, load

FEW_TEXTS = 20_000
_BUCKET_OF_TEXT = "SELECT CAST(md5_number_lower(key) % ? AS UINTEGER) AS bucket FROM keyed"


def shard_name(number: int) -> str:
    """Return the name of a shard, for example `0007`."""
    return f"{number:04d}"


def buckets(keys: pl.Series, count: int) -> pl.Series:
    """Return the shard number (UInt32) of each key.

    Whole numbers: key mod count. Texts: md5 of the text mod count. Both are the same on every machine and
    in every version of every library, as the hash functions of polars and DuckDB are not.
    """
    if keys.dtype.is_integer():
        return (keys % count).cast(pl.UInt32).alias("bucket")
    few = keys.n_unique() <= FEW_TEXTS and keys.null_count() == 0
    return buckets_of_few(keys, count) if few else buckets_of_many(keys, count)


def buckets_of_few(keys: pl.Series, count: int) -> pl.Series:
    """Return the buckets of texts of which few differ: a connection to a database takes longer than they do."""
    unique = keys.unique()
    digests = (hashlib.md5(key.encode(), usedforsecurity=False).digest() for key in unique)
    numbers = [int.from_bytes(digest[8:], "little") % count for digest in digests]
    found = keys.replace_strict(unique, numbers, return_dtype=pl.UInt32)
    return found.cast(pl.UInt32).alias("bucket")  # polars leaves no rows at all as texts


def buckets_of_many(keys: pl.Series, count: int) -> pl.Series:
    """Return the buckets of any number of different texts, the same as `buckets_of_few` does."""
    from riskflow import duck  # a tenth of a second that most programs need not pay

    with duck.connect() as connection:
        connection.register("keyed", pl.DataFrame({"key": keys}))
        relation = connection.sql(_BUCKET_OF_TEXT, params=[count])
        return pl.Series("bucket", relation.fetchnumpy()["bucket"], dtype=pl.UInt32)


def write_shards(
    frame: pl.DataFrame, key: str, count: int, folder: Path, contract: Contract
) -> dict[str, str]:
    """Write `<folder>/<shard>.parquet` for every shard, empty ones too; return shard name → content digest."""
    numbered = frame.with_columns(buckets(frame[key], count))
    ordered = numbered.sort("bucket", *contract.key)
    sizes = ordered.group_by("bucket").len().sort("bucket")
    rows = dict(zip(sizes["bucket"].to_list(), sizes["len"].to_list(), strict=True))
    digests, start = {}, 0
    plain = ordered.drop("bucket")
    for number in range(count):
        size = rows.get(number, 0)
        path = folder / f"{shard_name(number)}.parquet"
        digests[shard_name(number)] = artifacts.write(plain.slice(start, size), path, contract).digest
        start += size
    return digests


def write_manifest(path: Path, digests: Mapping[str, Mapping[str, str]], rows: Mapping[str, int]) -> None:
    """Write the manifest of a shard stage: part → shard → digest, and the rows of each shard under `rows`."""
    write_text(json.dumps({**digests, "rows": dict(rows)}, indent=1, sort_keys=True) + "\n", path)


def shard_rows(plan: Path) -> dict[str, int]:
    """Return shard name → rows as planned."""
    rows: dict[str, int] = json.loads(plan.read_text(encoding="utf-8"))["rows"]
    return rows


def planned_files(folder: Path, plan: Path) -> list[Path]:
    """Return the files in a folder of the shards that the plan names; files of an older plan are not among them.

    Programs take the folder, not the files: thousands of paths do not fit on a command line.
    """
    return [folder / f"{shard}.parquet" for shard in sorted(shard_rows(plan))]


def run(*, manifest: Path, receipts: list[Path], output: Path) -> Receipt:
    """Make the plan of a track: the shard manifest, and the digest of each artifact that all shards read.

    `receipts` are those of the stages that wrote the artifacts which every shard reads; each is known in the
    plan by the name of its receipt, with its outputs' digests joined by +.
    """
    plan: dict[str, object] = json.loads(manifest.read_text(encoding="utf-8"))
    for path in receipts:
        if path.stem in plan:
            raise RiskflowError(f"plan: {path.stem} names both a part of the shards and a receipt")
        plan[path.stem] = "+".join(artifact.digest for artifact in load(path).outputs)
    write_text(json.dumps(plan, indent=1, sort_keys=True) + "\n", output)
    return Receipt(counts={"shards": len(shard_rows(manifest))})
