"""From paths to raw chunks: which files there are, and which reader reads each."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, cast

from riskflow.errors import RiskflowError
from riskflow.notes.ingest import fhir, json_records, tables
from riskflow.notes.ingest.records import RawChunk

SUFFIXES: dict[str, tuple[str, ...]] = {
    "json": (".json",),
    "jsonl": (".jsonl", ".ndjson"),
    "csv": (".csv", ".tsv"),
    "parquet": (".parquet",),
    "fhir": (".json",),
    "fhir_ndjson": (".ndjson", ".jsonl"),
    "synthea": (".csv",),
}
"""Format → how its files end, each also with .gz (but Parquet)."""


def source_files(paths: Sequence[Path], kind: str) -> list[Path]:
    """Return the files of a format: those named, and those in the folders named, tables in loading order."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(f for f in path.iterdir() if _plain_suffix(f) in SUFFIXES[kind])
            files += [f for f in found if kind not in _FLAT or _is_table(f)]
        elif path.exists():
            files.append(path)
        else:
            raise RiskflowError(
                f"notes.source.paths: there is no file or folder {path}",
                "paths are relative to the repository",
            )
    if not files:
        raise RiskflowError(
            f"notes.source.paths: no file of format {kind} ({' or '.join(SUFFIXES[kind])})",
            "name files, or folders that hold them",
        )
    return files


def read_files(files: Sequence[Path], kind: str) -> Iterator[RawChunk]:
    """Yield the chunks of files, one file after the other; sources are named by file name, told apart if equal."""
    names = [f.name for f in files]
    for number, path in enumerate(files):
        source = path.name if names.count(path.name) == 1 else f"{number + 1}-{path.name}"
        yield from read_file(path, kind, source)


def read_file(path: Path, kind: str, source: str) -> Iterator[RawChunk]:
    """Yield the chunks of one file."""
    if kind == "parquet":
        yield from tables.read_parquet(path, source, tables.table_of(path))
        return
    with closing(_opened(path)) as handle:
        try:
            yield from _chunks(handle, path, kind, source)
        except (EOFError, gzip.BadGzipFile):
            raise RiskflowError(
                f"{source}: the compressed file is damaged or cut off", "copy it again"
            ) from None


def _chunks(handle: BinaryIO, path: Path, kind: str, source: str) -> Iterator[RawChunk]:
    if kind == "csv":
        delimiter = "\t" if _plain_suffix(path) == ".tsv" else ","
        return tables.read_csv(handle, source, tables.table_of(path), delimiter)
    if kind == "synthea":
        return tables.read_synthea(handle, source, tables.table_of(path))
    readers = {
        "json": json_records.read_json,
        "jsonl": json_records.read_jsonl,
        "fhir": fhir.read_bundle,
        "fhir_ndjson": fhir.read_ndjson,
    }
    return readers[kind](handle, source)


_FLAT = ("csv", "synthea", "parquet")


def _is_table(path: Path) -> bool:
    return path.name.lower().startswith(("patients", "encounters", "observations"))


def _plain_suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _opened(path: Path) -> BinaryIO:
    if path.name.lower().endswith(".gz"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")
