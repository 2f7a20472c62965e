"""An export that is killed at its worst moments: every file that is there is whole, and the next export is right."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from riskflow.config.postgres import PostgresSource
from riskflow.sources.postgres import Export, export
from tests.services.postgres_server import PostgresServer
from tests.services.publishing import fresh_database

pytestmark = pytest.mark.service
TABLES = ("first", "second")
MAKE = """
CREATE TABLE {table} AS
SELECT n, md5(n::text) AS label, TIMESTAMPTZ '2024-01-01 00:00:00+00' + n * INTERVAL '1 minute' AS changed_at
FROM generate_series(1, 1000) AS n
"""
CHANGE = """
UPDATE {table} SET label = 'changed', changed_at = TIMESTAMPTZ '2024-02-01 00:00:00+00' + n * INTERVAL '1 minute'
WHERE n % 50 = 0
"""
EXPORT_AND_DIE = """
import os, signal, sys
from pathlib import Path
from riskflow.config.postgres import PostgresSource
from riskflow.sources import postgres, postgres_copy
from tests.services.test_faults_source_postgres import exports

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

section, folder, moment = PostgresSource.model_validate_json(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if moment == "before the watermarks":
    postgres.Watermarks.write = die
else:
    groups, streams = postgres_copy.row_groups, []

    def dying(batches, schema):
        streams.append(1)
        for group in groups(batches, schema):
            if len(streams) == int(moment):
                yield group.slice(0, 10)
                die()
            yield group

    postgres_copy.row_groups = dying
postgres.export(section, exports(folder), folder / "watermarks.json")
"""


def exports(folder: Path) -> list[Export]:
    """Return the export of both tables, by what changed, into a folder."""
    names = {name: name for name in ("n", "label", "changed_at")}
    return [
        Export(f"public.{table}", lambda _: names, folder / f"{table}.parquet", ["n"], "changed_at")
        for table in TABLES
    ]


@pytest.fixture
def section(postgres_server: PostgresServer) -> Iterator[PostgresSource]:
    with fresh_database(postgres_server, "killed") as name:
        yield PostgresSource(
            port=postgres_server.port,
            database=name,
            user="postgres",
            password_file=str(postgres_server.password_file),
            overlap_minutes=1,
        )


@pytest.fixture
def server(postgres_server: PostgresServer, section: PostgresSource) -> Iterator[psycopg.Connection]:
    with postgres_server.connect(section.database) as connection:
        for table in TABLES:
            connection.execute(MAKE.format(table=table).encode())
        yield connection


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def export_into(section: PostgresSource, folder: Path) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    export(section, exports(folder), folder / "watermarks.json")
    return contents(folder)


# An increment streams twice: what changed, then the file with that laid over. A whole table streams once.
@pytest.mark.parametrize(
    ("earlier", "moment", "done"),
    [
        (False, "1", 0),
        (False, "2", 1),
        (False, "before the watermarks", 2),
        (True, "1", 0),
        (True, "2", 0),
        (True, "4", 1),
        (True, "before the watermarks", 2),
    ],
)
def test_a_killed_export_leaves_whole_files_and_the_next_gives_the_same_bytes(
    section: PostgresSource, server: psycopg.Connection, tmp_path: Path, earlier: bool, moment: str, done: int
) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    before = export_into(section, folder) if earlier else {}
    for table in TABLES:
        server.execute(CHANGE.format(table=table).encode())
    undisturbed = export_into(section, tmp_path / "undisturbed")
    command = [sys.executable, "-c", EXPORT_AND_DIE, section.model_dump_json(), str(folder), moment]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    left = {name: content for name, content in contents(folder).items() if not name.startswith(".")}
    new = [f"{table}.parquet" for table in TABLES[:done]]
    assert left == before | {name: undisturbed[name] for name in new}
    assert export_into(section, folder) == undisturbed
