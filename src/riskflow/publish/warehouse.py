"""The DuckDB warehouse: one file, one transaction per publish, one writer at a time.

Every track publishes into the same file. A publisher waits for its turn on a lock file beside it (DuckDB
itself refuses a second writer), works in one transaction, and readers see all of a run or nothing of it.
"""

from __future__ import annotations

import fcntl
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import duckdb

from riskflow import duck
from riskflow.errors import RiskflowError
from riskflow.files import cannot_write

LOCK_POLL_SECONDS = 0.1


@contextmanager
def transaction(
    database: Path, *, wait_seconds: float = 600.0, memory: str = "1GB"
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection inside a transaction: committed when the block ends, rolled back when it raises.

    A full disk or a file that may not be written is a RiskflowError that names `database`.
    """
    try:
        with _turn(database, wait_seconds):
            connection = duck.connect(database, memory_limit=memory, preserve_insertion_order="true")
            try:
                connection.begin()
                yield connection
                connection.commit()
            except BaseException:
                with suppress(duckdb.TransactionException):  # a commit that failed has ended it already
                    connection.rollback()
                raise
            finally:
                connection.close()
    except duckdb.Error as error:
        unwritten = cannot_write(database, error)
        if unwritten is None:
            raise
        raise unwritten from None


@contextmanager
def scratch_database(*, memory: str = "384MB") -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a database in memory; what does not fit into `memory` spills into a temporary folder."""
    with (
        tempfile.TemporaryDirectory() as folder,
        duck.connect(memory_limit=memory, temp_directory=folder) as connection,
    ):
        yield connection


@contextmanager
def _turn(database: Path, wait_seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + wait_seconds
    with _lock_file(database) as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RiskflowError(
                        f"another publisher has held {database} for {wait_seconds:.0f} s",
                        "wait for it, or look for a stopped process that holds the lock",
                    ) from None
                time.sleep(LOCK_POLL_SECONDS)
        yield


def _lock_file(database: Path) -> TextIO:
    lock = database.with_name(f".{database.name}.lock")
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        return lock.open("w")
    except OSError as error:
        raise cannot_write(lock, error) or error from None


def execute_script(
    connection: duckdb.DuckDBPyConnection, script: str, values: Mapping[str, object] | None = None
) -> None:
    """Run the statements of a .sql file in the current transaction, each with the values that it names."""
    for statement in duckdb.extract_statements(script):
        bound = {name: (values or {})[name] for name in statement.named_parameters}
        connection.execute(statement, bound) if bound else connection.execute(statement)
