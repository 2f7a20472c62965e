"""Opening DuckDB: the one way, without a progress bar."""

from __future__ import annotations

from pathlib import Path

import duckdb


def connect(
    database: Path | str = ":memory:", *, read_only: bool = False, **settings: str
) -> duckdb.DuckDBPyConnection:
    """Return a connection; `settings` are DuckDB's own, such as memory_limit.

    Its progress bar is off: on slow queries it writes to standard output, where a program's result may be.
    """
    connection = duckdb.connect(str(database), read_only=read_only, config={**settings})
    connection.execute("SET enable_progress_bar = false")
    return connection
