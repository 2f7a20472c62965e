"""A warehouse on a full disk, or for reading only: said in a line, and what was published before stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskflow import duck
from riskflow.errors import RiskflowError
from riskflow.publish.warehouse import transaction
from tests.disks import fill_disk, read_only, small_disk

LARGE = "CREATE TABLE large AS SELECT range AS n, uuid()::VARCHAR AS text FROM range(400_000)"


def published(database: Path) -> int:
    """Publish a small table and return its rows."""
    with transaction(database) as connection:
        connection.execute("CREATE TABLE small AS SELECT * FROM range(10)")
    return 10


def tables(database: Path) -> list[str]:
    with duck.connect(database, read_only=True) as connection:
        return [name for (name,) in connection.execute("SHOW TABLES").fetchall()]


def test_a_full_disk_keeps_what_was_published(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    database = folder / "warehouse.duckdb"
    published(database)
    with small_disk(folder):
        fill_disk(folder)
        with (
            pytest.raises(RiskflowError, match=r"cannot write .*warehouse\.duckdb: No space left on device"),
            transaction(database) as connection,
        ):
            connection.execute(LARGE)
        (folder / "ballast").unlink()
        assert tables(database) == ["small"]
        with transaction(database) as connection:
            connection.execute("CREATE TABLE another AS SELECT 1 AS n")
        assert tables(database) == ["another", "small"]


def test_a_folder_for_reading_only_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    database = folder / "warehouse.duckdb"
    published(database)
    with (
        read_only(folder),
        pytest.raises(RiskflowError, match=r"cannot write .*warehouse\.duckdb\S*: Read-only file system"),
        transaction(database),
    ):
        pytest.fail("the block must not begin")
    assert tables(database) == ["small"]


def test_an_error_of_the_block_comes_out_as_it_is(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError),
        transaction(tmp_path / "warehouse.duckdb") as connection,
    ):
        connection.execute("CREATE TABLE t AS SELECT 1 AS n")
        (tmp_path / "absent").read_text()
    assert tables(tmp_path / "warehouse.duckdb") == []
