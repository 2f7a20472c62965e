"""The members and notes tracks publish to a real PostgreSQL what they publish into the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from riskflow.members.warehouse import TARGETS
from tests.services.postgres_server import PostgresServer
from tests.services.publishing import fresh_database
from tests.services.test_postgres_tracks import NOTES, same_rows
from tests.workflow.harness import Workspace, executed
from tests.workflow.members_workspace import DEFINITIONS

pytestmark = [pytest.mark.service, pytest.mark.slow]
TRACKS = ("members", "notes")
OVERLAY = {
    "tracks": list(TRACKS),
    "members": {
        "demo": {"members": 300, "seed": 3},
        "quality": {"max_quarantined": 0.3},
        "shards": {"count": 2},
        "decomposition": {"definitions": "definitions.yaml"},
    },
    "notes": {"shards": {"count": 2}},
}


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[str]:
    with fresh_database(postgres_server, "tracks") as name:
        yield name


@pytest.fixture(scope="module")
def published(
    postgres_server: PostgresServer, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """A workspace whose members and notes have been published, first refused by a server that is not there."""
    import yaml

    workspace = Workspace.create(tmp_path_factory.mktemp("tracks") / "riskflow", {})
    (workspace.folder / "definitions.yaml").write_text(yaml.safe_dump(DEFINITIONS))
    server = {"enabled": True, "port": 1, "database": database, "user": "postgres", "retry_seconds": 0}
    server["password_file"] = str(postgres_server.password_file)
    workspace.overlay = {**OVERLAY, "publish": {"postgres": server}}
    down = workspace.snakemake("--keep-going", *TRACKS)
    assert down.status != 0 and down.text.count("no PostgreSQL answers at 127.0.0.1:1") >= len(TRACKS)
    assert not list(workspace.folder.rglob("receipts/publish_postgres.json"))
    server["port"] = postgres_server.port
    resumed = workspace.snakemake(*TRACKS)
    assert resumed.status == 0, resumed.text
    done = executed(resumed.text)
    assert done == {"members_publish_postgres": 1, "notes_publish_postgres": 1}
    return workspace


def test_members_are_there_as_in_the_warehouse(
    published: Workspace, postgres_server: PostgresServer, database: str
) -> None:
    warehouse = published.path("warehouse.duckdb")
    rows = {table: same_rows(postgres_server, database, warehouse, table, table) for table in TARGETS}
    assert len([table for table, count in rows.items() if count]) >= len(TARGETS) - 1, rows
    with postgres_server.connect(database) as connection:
        runs = connection.execute("SELECT status, count(*) FROM main_runs.run_registry GROUP BY 1").fetchall()
    assert runs and {status for status, _ in runs} == {"completed"}


def test_notes_are_there_as_in_the_warehouse(
    published: Workspace, postgres_server: PostgresServer, database: str, tmp_path: Path
) -> None:
    with duckdb.connect(str(tmp_path / "copy.duckdb")) as connection:
        connection.execute(f"ATTACH '{published.path('warehouse.duckdb')}' AS made (READ_ONLY)")
        for name in NOTES:
            connection.execute(f"CREATE TABLE {name} AS SELECT * EXCLUDE (run_id) FROM made.notes.{name}")
    for name in NOTES:
        rows = same_rows(postgres_server, database, tmp_path / "copy.duckdb", name, f"notes.{name}")
        assert rows == pl.read_parquet(published.path(f"notes/{name}.parquet")).height


def test_a_second_run_does_nothing_and_no_password_is_left(
    published: Workspace, postgres_server: PostgresServer
) -> None:
    assert published.plan(*TRACKS) == {}
    secret = postgres_server.password.encode()
    files = [path for path in published.folder.rglob("*") if path.is_file()]
    assert any(".snakemake" in path.parts for path in files)
    assert [path for path in files if secret in path.read_bytes()] == []
