"""The only reader and writer of parquet artifacts.

Writing validates against the contract, sorts by its key, writes zstd to a temporary name, syncs and renames:
a reader sees the old artifact or the new one, never half of one. The same rows give the same bytes at any
thread count, row order and number of pieces in memory: no timestamps, one fixed row-group size, see `_page_bytes`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Full, Queue

import polars as pl
from polars.io.plugins import register_io_source

from riskflow.contracts.base import Contract
from riskflow.errors import RiskflowError
from riskflow.files import replacing as replacing
from riskflow.files import write_text as write_text
from riskflow.jobs import workflow_path
from riskflow.pieces import bounds, columns

ROW_GROUP_ROWS = 262_144
_HASH_BLOCK = 1 << 20
_ONE_PAGE = 1 << 30
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Artifact:
    """A parquet file that was read or written: contract name, rows, and the digest of its content."""

    path: str
    contract: str
    rows: int
    digest: str


@dataclass
class Ledger:
    """What one stage has read and written, and the provenance digest that goes into what it writes."""

    provenance: str = ""
    inputs: list[Artifact] = field(default_factory=list)
    outputs: list[Artifact] = field(default_factory=list)


_ledger = Ledger()


@contextmanager
def ledger(provenance: str) -> Iterator[Ledger]:
    """Collect what is read and written inside the block; one stage of a process at a time."""
    global _ledger
    previous, _ledger = _ledger, Ledger(provenance)
    try:
        yield _ledger
    finally:
        _ledger = previous


def read(path: Path, contract: Contract, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the rows of an artifact (all columns, or those named), in the order of the contract's key."""
    _check_metadata(path, contract)
    frame = pl.read_parquet(path, columns=list(columns) if columns is not None else None, glob=False)
    _ledger.inputs.append(Artifact(workflow_path(path), contract.name, frame.height, content_digest(path)))
    return frame


def scan(path: Path, contract: Contract) -> pl.LazyFrame:
    """Return a lazy frame over an artifact, for stages that need a part of it."""
    _check_metadata(path, contract)
    rows = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    _ledger.inputs.append(Artifact(workflow_path(path), contract.name, rows, content_digest(path)))
    return pl.scan_parquet(path, glob=False)


def checked(path: Path, contract: Contract) -> Artifact:
    """Return what an artifact is (rows, digest) after checking that it is of the contract, and note it as read."""
    scan(path, contract)
    return _ledger.inputs[-1]


def write(frame: pl.DataFrame, path: Path, contract: Contract) -> Artifact:
    """Validate, sort by key, and write; raise RiskflowError and leave no file when a promise is broken."""
    ordered = _sorted_by_key(contract.validate(frame), contract)
    with replacing(path) as temporary:
        _sink(ordered.lazy(), temporary, contract)
    return _noted(path, contract, ordered.height)


@contextmanager
def writing(path: Path, contract: Contract) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Yield a function that takes an artifact's rows part by part; the artifact is there when the block has ended.

    The parts come in the order of the contract's key. Each is validated when it is given and written meanwhile, so
    that an artifact need not be in memory as a whole; the bytes are those of `write`.
    """
    parts: Queue[pl.DataFrame | None] = Queue(1)
    rows, last = 0, contract.empty()

    def add(part: pl.DataFrame) -> None:
        nonlocal rows, last
        since = pl.concat([last, contract.validate(part)])
        if contract.key and not _is_strictly_ascending(since, contract.key):
            raise RiskflowError(
                f"artifact {contract.name}: its parts do not come in the order of its key, or repeat one",
                "two inputs may hold the same rows; look at the receipts of the stages before",
            )
        rows, last = rows + part.height, part.tail(1) if part.height else last
        _put(part, parts, written)

    with replacing(path) as temporary, ThreadPoolExecutor(1) as pool:
        given = register_io_source(lambda *_: _taken(parts), schema=dict(contract.schema))
        written = pool.submit(_sink, given, temporary, contract)
        try:
            yield add
        finally:
            _put(None, parts, written)
        written.result()
    _noted(path, contract, rows)


def _put(part: pl.DataFrame | None, parts: Queue[pl.DataFrame | None], written: Future[None]) -> None:
    """Give a part to the thread that writes, when it has taken the one before; raise what has ended that thread."""
    while not written.done():
        with suppress(Full):
            parts.put(part, timeout=_POLL_SECONDS)
            return
    written.result()


def _taken(parts: Queue[pl.DataFrame | None]) -> Iterator[pl.DataFrame]:
    while (part := parts.get()) is not None:
        yield part


def _sink(rows: pl.LazyFrame, path: Path, contract: Contract) -> None:
    metadata = {
        "riskflow.contract": contract.name,
        "riskflow.version": str(contract.version),
        "riskflow.provenance": _ledger.provenance,
    }
    rows.sink_parquet(
        path,
        compression="zstd",
        compression_level=1,
        row_group_size=ROW_GROUP_ROWS,
        data_page_size=_page_bytes(contract),
        metadata=metadata,
    )


def _noted(path: Path, contract: Contract, rows: int) -> Artifact:
    artifact = Artifact(workflow_path(path), contract.name, rows, content_digest(path))
    _ledger.outputs.append(artifact)
    return artifact


def _page_bytes(contract: Contract) -> int | None:
    """Return the size of a page: for lists so large that a row group is one page.

    polars cuts lists into pages by the size of the array that a row group is a part of: the bytes would tell in
    which pieces the rows came together.
    """
    return _ONE_PAGE if any(kind.is_nested() for kind in contract.schema.values()) else None


def content_digest(path: Path) -> str:
    """Return the sha256 of an artifact's data pages and schema, without its metadata.

    Provenance in the metadata changes with every code change; the content digest changes only with the
    rows, so that an equal result cuts the work after it off early.
    """
    size = path.stat().st_size
    with path.open("rb") as handle:
        handle.seek(size - 8)
        footer = int.from_bytes(handle.read(4), "little")
        handle.seek(0)
        digest = hashlib.sha256(repr(dict(pl.read_parquet_schema(path))).encode())
        left = size - 8 - footer
        while left > 0 and (block := handle.read(min(_HASH_BLOCK, left))):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _check_metadata(path: Path, contract: Contract) -> None:
    if not path.exists():
        raise RiskflowError(
            f"artifact {contract.name} is not there: {path}", "run the stage that makes it first"
        )
    try:
        metadata = pl.read_parquet_metadata(path)
    except pl.exceptions.PolarsError:  # its text may hold parts of the file
        raise RiskflowError(
            f"{path} is not a whole parquet file", "delete the file and run the workflow again"
        ) from None
    found = (metadata.get("riskflow.contract"), metadata.get("riskflow.version"))
    if found != (contract.name, str(contract.version)):
        raise RiskflowError(
            f"{path} holds {found[0] or 'no riskflow artifact'} v{found[1] or '?'}, "
            f"not {contract.name} v{contract.version}",
            "delete the file and run the workflow again",
        )


def _sorted_by_key(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    if not contract.key or frame.height < 2:
        return frame
    keys = list(contract.key)
    if not _is_strictly_ascending(frame, keys):
        frame = frame.sort(keys, nulls_last=False, maintain_order=True)
        if not _is_strictly_ascending(frame, keys):
            repeated = frame.height - frame.select(keys).n_unique()
            raise RiskflowError(
                f"artifact {contract.name}: {repeated} rows repeat the key ({', '.join(keys)})",
                "two inputs may hold the same rows; look at the receipts of the stages before",
            )
    return frame


def _is_strictly_ascending(frame: pl.DataFrame, keys: Sequence[str]) -> bool:
    """Whether each row's key is greater than the row's before it (nulls first); each piece is asked, and each seam."""
    asked = columns(frame, keys)
    parts = (
        asked.slice(first, rows)
        for start, length in bounds(asked)
        for first, rows in ((start, length), (max(start - 1, 0), 2))
    )
    return all(_ascends([(key.slice(1), key.slice(0, len(key) - 1)) for key in part]) for part in parts)


def _ascends(keys: Sequence[tuple[pl.Series, pl.Series]]) -> bool:
    """Whether each row is greater than the one before, given the two of every key.

    That one text is greater takes long to tell, and in most rows the first key is that of the row before.
    """
    (now, before), *deeper = keys
    differs = now.ne_missing(before)
    risen, low = _where(now, differs), _where(before, differs)
    if not (risen > low).fill_null(low.is_null()).all():
        return False
    same = ~differs
    return not same.any() or (
        bool(deeper) and _ascends([(_where(key, same), _where(old, same)) for key, old in deeper])
    )


def _where(column: pl.Series, mask: pl.Series) -> pl.Series:
    return column if mask.all() else column.filter(mask)
