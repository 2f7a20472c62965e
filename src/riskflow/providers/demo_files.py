"""Writing the demo as files: two payment releases with renamed columns, cp1252 text, gzip, or parquet."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import polars as pl

from riskflow.config.providers import DemoStage
from riskflow.files import replacing
from riskflow.providers import demo, demo_ownership, demo_tables
from riskflow.providers.demo_layout import FILES, NEW_NAMES, OLD_NAMES, Format
from riskflow.receipts import Receipt


@dataclass(frozen=True)
class _Writer:
    """Appends blocks to one file; the header goes before the first."""

    append: Callable[[pl.DataFrame], None]
    close: Callable[[], None]


def write_demo(spec: demo.DemoSpec, folder: Path, kind: Format = "csv") -> dict[str, int]:
    """Write the raw tables, truth.csv and dirt.csv into `folder`; return the rows per raw table."""
    folder.mkdir(parents=True, exist_ok=True)
    dirt, people = demo.Dirt(), demo.population(spec)
    owner = demo_ownership.owners(people, spec)
    lists = demo_tables.exclusions(people, owner, spec, dirt)
    split_year = str((spec.first_year + spec.last_year) // 2)
    rows = {
        "registry": _write(demo_tables.registry(people, spec, dirt), folder / "registry.csv", kind),
        "payments": _write_payments(demo.payments(people, spec, dirt), folder, split_year, kind),
        "exclusions": sum(
            _write([block], folder / name, kind)
            for block, name in zip(lists, FILES["exclusions"], strict=True)
        ),
        "ownership": _write(
            [demo_ownership.ownership(people, owner, spec, dirt)], folder / "ownership.csv", kind
        ),
    }
    _write([demo.truth(people)], folder / "truth.csv", "csv")
    _write([dirt.frame()], folder / "dirt.csv", "csv")
    return rows


def _write_payments(blocks: Iterable[pl.DataFrame], folder: Path, split_year: str, kind: Format) -> int:
    """Write rows up to `split_year` under the older release's column names, the others under the newer's."""
    rows = 0
    old, new = FILES["payments"]
    with replacing(_named(folder / old, kind)) as first, replacing(_named(folder / new, kind)) as second:
        writers = _writer(first, old, kind), _writer(second, new, kind)
        for block in blocks:
            earlier = pl.col("year") <= split_year
            writers[0].append(block.filter(earlier).rename(OLD_NAMES))
            writers[1].append(block.filter(~earlier).rename(NEW_NAMES))
            rows += block.height
        for writer in writers:
            writer.close()
    return rows


def _write(blocks: Iterable[pl.DataFrame], path: Path, kind: Format) -> int:
    rows = 0
    with replacing(_named(path, kind)) as temporary:
        writer = _writer(temporary, path.name, kind)
        for block in blocks:
            writer.append(block)
            rows += block.height
        writer.close()
    return rows


def _named(path: Path, kind: Format) -> Path:
    return (
        path
        if kind == "csv"
        else path.with_name(path.name.removesuffix(".gz").removesuffix(".csv") + ".parquet")
    )


def _writer(path: Path, name: str, kind: Format) -> _Writer:
    return _parquet_writer(path) if kind == "parquet" else _csv_writer(path, name.endswith(".gz"))


def _csv_writer(path: Path, zipped: bool) -> _Writer:
    raw = path.open("wb")
    handle: IO[Any] = gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) if zipped else raw  # type: ignore[assignment]
    started: list[bool] = []

    def append(block: pl.DataFrame) -> None:
        handle.write((block.write_csv(include_header=not started) or "").encode("cp1252"))
        started.append(True)

    def close() -> None:
        handle.close()
        raw.close()

    return _Writer(append, close)


def _parquet_writer(path: Path) -> _Writer:
    import pyarrow.parquet as pq

    opened: list[Any] = []

    def append(block: pl.DataFrame) -> None:
        table = block.to_arrow(compat_level=pl.CompatLevel.oldest())
        if not opened:
            opened.append(pq.ParquetWriter(path, table.schema, compression="zstd", compression_level=1))
        opened[0].write_table(table, row_group_size=262_144)

    return _Writer(append, lambda: opened[0].close())


def run(*, output: Path, config: DemoStage) -> Receipt:
    """Write the demo's raw files into the folder `output`."""
    rows = write_demo(demo.DemoSpec(**config.demo.model_dump()), output)
    return Receipt(counts={f"{table}_rows": count for table, count in rows.items()})
