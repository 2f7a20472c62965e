"""Rows on their way to shards: appended to one file per table and shard, so that memory holds one chunk.

All rows of a patient go to the patient's shard. Repeated keys are found over all shards by their hashes
(eight bytes a row, in a file of their own), then settled by the keys themselves.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.errors import RiskflowError
from riskflow.notes.ingest.typed import LINE, SOURCE
from riskflow.sharding import buckets

SOURCE_RANK = "__rank"
_FILES_BESIDE = 64
HASHES_AT_ONCE = 1 << 20


class Spill:
    """Open files of a folder, one per table and shard; a context manager that closes them."""

    def __init__(self, folder: Path, shards: int) -> None:
        self.folder, self.shards = folder, shards
        self._writers: dict[tuple[str, int], Any] = {}
        self._sources: list[str] = []
        _allow_open_files(shards * len(SOURCE_TABLES) + _FILES_BESIDE)
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Spill:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; adding is over."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def add(self, table: str, rows: pl.DataFrame) -> None:
        """Append typed rows (contract columns, source, line) to the files of their shards."""
        if rows.is_empty():
            return
        with self._hashes(table).open("ab") as hashes:
            hashes.write(rows[SOURCE_TABLES[table].key[0]].hash(seed=1).to_numpy().tobytes())
        ranks = {source: self._rank(source) for source in rows[SOURCE].unique(maintain_order=True)}
        ranked = rows.with_columns(
            pl.col(SOURCE).replace_strict(ranks, return_dtype=pl.Int64).alias(SOURCE_RANK)
        )
        numbered = ranked.with_columns(buckets(rows["patient_id"], self.shards))
        for (shard,), part in numbered.partition_by("bucket", as_dict=True, include_key=False).items():
            self._write(table, int(shard), part)

    def rows(self, table: str, shard: int) -> pl.DataFrame:
        """Return the rows of a shard, in the order in which they were read."""
        path = self._path(table, shard)
        if not path.exists():
            schema = {**SOURCE_TABLES[table].schema, LINE: pl.Int64, SOURCE: pl.String, SOURCE_RANK: pl.Int64}
            return pl.DataFrame(schema=schema)
        return pl.read_ipc_stream(path).sort(SOURCE_RANK, LINE)

    def repeats(self, table: str) -> pl.DataFrame:
        """Return (rank, line) of the rows whose key an earlier row has, over all shards."""
        key = SOURCE_TABLES[table].key[0]
        doubtful = self._repeated_hashes(table)
        place = pl.DataFrame(schema={SOURCE_RANK: pl.Int64, LINE: pl.Int64})
        if not len(doubtful):
            return place
        found = [place.with_columns(pl.lit(None, pl.String).alias(key))]
        for rows in self._slim(table, key):
            found.append(rows.filter(rows[key].hash(seed=1).is_in(pl.Series(doubtful).implode())))
        suspects = pl.concat(found).sort(SOURCE_RANK, LINE)
        return suspects.filter(~pl.col(key).is_first_distinct()).select(SOURCE_RANK, LINE)

    def _slim(self, table: str, key: str) -> Iterator[pl.DataFrame]:
        for shard in range(self.shards):
            path = self._path(table, shard)
            if path.exists():
                yield pl.read_ipc_stream(path, columns=[SOURCE_RANK, LINE, key]).select(
                    SOURCE_RANK, LINE, key
                )

    def _repeated_hashes(self, table: str) -> npt.NDArray[np.uint64]:
        """Return the hashes that stand twice, looked for among so many at a time that memory stays flat."""
        path, repeated = self._hashes(table), [np.array([], dtype=np.uint64)]
        size = path.stat().st_size // 8 if path.exists() else 0
        parts = -(-size // HASHES_AT_ONCE)
        for part in range(parts):
            blocks = (
                np.fromfile(path, np.uint64, HASHES_AT_ONCE, offset=8 * HASHES_AT_ONCE * n)
                for n in range(parts)
            )
            some = np.concatenate([block[block % parts == part] for block in blocks])
            some.sort()
            repeated.append(np.unique(some[1:][some[1:] == some[:-1]]))
        return np.concatenate(repeated)

    def _hashes(self, table: str) -> Path:
        return self.folder / f"{table}.hashes"

    def _rank(self, source: str) -> int:
        if source not in self._sources:
            self._sources.append(source)
        return self._sources.index(source)

    def _write(self, table: str, shard: int, part: pl.DataFrame) -> None:
        arrow = part.to_arrow(compat_level=pl.CompatLevel.oldest())
        if (table, shard) not in self._writers:
            self._writers[table, shard] = pa.ipc.new_stream(self._path(table, shard), arrow.schema)
        self._writers[table, shard].write_table(arrow)

    def _path(self, table: str, shard: int) -> Path:
        return self.folder / f"{table}-{shard}.arrow"


def _allow_open_files(count: int) -> None:
    """Raise this process's limit of open files as far as it has to; RiskflowError where the machine forbids it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        if hard != resource.RLIM_INFINITY and hard < count:
            raise RiskflowError(
                f"notes.shards.count: {count} files have to be open at once, this machine allows {hard}",
                "choose fewer shards, or raise the hard limit of `ulimit -n`",
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
