"""Reading from a real PostgreSQL: one snapshot, flat memory, every value as it is, nothing lost between exports."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psycopg
import pytest

from riskflow.config.postgres import PostgresSource
from riskflow.errors import RiskflowError
from riskflow.sources import postgres_copy
from riskflow.sources.postgres import Export, changes, export
from tests.services.postgres_server import PostgresServer
from tests.services.publishing import fresh_database

pytestmark = pytest.mark.service
COLUMNS = {name: name for name in ("npi", "label", "paid", "share", "ok", "day", "updated_at", "tags")}
INCREMENTAL = {"updated_column": "updated_at"}
MAKE = """
CREATE SCHEMA raw;
CREATE TABLE raw.rows (
    npi bigint PRIMARY KEY, label text, paid numeric(12, 2), share float8, ok boolean, day date,
    updated_at timestamptz NOT NULL, tags text[]
);
INSERT INTO raw.rows
SELECT n, CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'a,"b' || chr(10) || 'é\\N' ELSE 'name ' || n END,
       n * 1.25, CASE WHEN n % 7 = 0 THEN NULL ELSE n / 3.0 END, n % 2 = 0, DATE '2020-02-29' + n::int,
       TIMESTAMPTZ '2024-01-01 00:00:00+00' + n * INTERVAL '1 minute', ARRAY['x', n::text]
FROM generate_series(1, 1000) AS n
"""


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    with fresh_database(postgres_server, "source") as name:
        with postgres_server.connect(name) as inside:
            inside.execute(MAKE)
        yield name


@pytest.fixture
def connection(postgres_server: PostgresServer, database: str) -> Iterator[psycopg.Connection]:
    with postgres_server.connect(database) as connected:
        yield connected


def section_of(server: PostgresServer, database: str, **changes: object) -> PostgresSource:
    values = {"port": server.port, "database": database, "user": "postgres"}
    return PostgresSource.model_validate(values | {"password_file": str(server.password_file)} | changes)


def rows_export(folder: Path, **changes: object) -> Export:
    values = {"table": "raw.rows", "columns": COLUMNS, "key": ["npi"], "output": folder / "rows.parquet"}
    values |= changes
    mapping = values.pop("columns")
    return Export(columns=lambda _: mapping, **values)  # type: ignore[arg-type, return-value]


def test_every_value_arrives_as_it_is(
    postgres_server: PostgresServer, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    table = rows_export(tmp_path)
    done = export(section_of(postgres_server, database), [table], tmp_path / "watermarks.json")
    assert (done["raw.rows"].read, done["raw.rows"].rows) == (1000, 1000)
    found = pl.read_parquet(table.output)
    columns = "npi, label, paid, share, ok, day, updated_at, tags::text"
    expected = connection.execute(f"SELECT {columns} FROM raw.rows ORDER BY npi").fetchall()
    assert found.rows() == expected


def test_columns_are_renamed_and_chosen(
    postgres_server: PostgresServer, database: str, tmp_path: Path
) -> None:
    table = rows_export(tmp_path, columns={"provider": "npi", "select": "label"}, key=["select", "provider"])
    export(section_of(postgres_server, database), [table], tmp_path / "w.json")
    found = pl.read_parquet(table.output)
    assert found.columns == ["provider", "select"]
    assert found.equals(found.sort("select", "provider", nulls_last=True))


def test_all_tables_are_of_one_snapshot(
    postgres_server: PostgresServer,
    database: str,
    connection: psycopg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.execute("CREATE TABLE raw.second AS SELECT npi FROM raw.rows")
    first = rows_export(tmp_path)
    second = rows_export(
        tmp_path, table="raw.second", columns={"npi": "npi"}, output=tmp_path / "second.parquet"
    )
    copy = postgres_copy.copy_to_parquet

    def copying(*arguments: object) -> int:
        rows = copy(*arguments)  # type: ignore[arg-type]
        connection.execute("DELETE FROM raw.second WHERE npi > 10")
        return rows

    monkeypatch.setattr(postgres_copy, "copy_to_parquet", copying)
    export(section_of(postgres_server, database), [first, second], tmp_path / "w.json")
    assert connection.execute("SELECT count(*) FROM raw.second").fetchone() == (10,)
    assert pl.read_parquet(second.output).height == 1000


def test_increments_give_the_same_bytes_as_a_whole_export(
    postgres_server: PostgresServer, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    section = section_of(postgres_server, database, overlap_minutes=10)
    parts, whole = (rows_export(tmp_path / name, **INCREMENTAL) for name in ("parts", "whole"))
    export(section, [parts], tmp_path / "parts.json")
    newest = "TIMESTAMPTZ '2024-01-01 16:40:00+00'"  # of row 1000
    connection.execute(
        f"UPDATE raw.rows SET label = 'late', updated_at = {newest} - INTERVAL '9 minutes' WHERE npi = 5"
    )
    connection.execute(f"UPDATE raw.rows SET label = 'equal', updated_at = {newest} WHERE npi = 6")
    connection.execute(
        f"INSERT INTO raw.rows (npi, updated_at) VALUES (5000, {newest} + INTERVAL '1 second')"
    )
    done = export(section, [parts], tmp_path / "parts.json")["raw.rows"]
    assert done.rows == 1001 and done.read < 20
    export(section, [whole], tmp_path / "whole.json")
    assert parts.output.read_bytes() == whole.output.read_bytes()
    assert (tmp_path / "parts.json").read_text() == (tmp_path / "whole.json").read_text()


def test_a_lost_file_or_watermark_reads_everything_again(
    postgres_server: PostgresServer, database: str, tmp_path: Path
) -> None:
    section = section_of(postgres_server, database)
    table = rows_export(tmp_path, **INCREMENTAL)
    export(section, [table], tmp_path / "w.json")
    before = table.output.read_bytes()
    for lost in (table.output, tmp_path / "w.json"):
        lost.unlink()
        assert export(section, [table], tmp_path / "w.json")["raw.rows"].read == 1000
        assert table.output.read_bytes() == before


NEWEST = "TIMESTAMPTZ '2024-01-01 16:40:00+00'"  # of row 1000


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("SELECT 1", 2),  # nothing: the newest row, and the one a minute before it
        ("DELETE FROM raw.rows WHERE npi = 5", 999),
        (
            f"INSERT INTO raw.rows (npi, updated_at) VALUES (5000, {NEWEST} - INTERVAL '5 hours')",
            1001,
        ),  # late
        ("INSERT INTO raw.rows (npi, updated_at) SELECT 5000, NULL", 1001),
        (f"DELETE FROM raw.rows WHERE npi < 3; UPDATE raw.rows SET updated_at = {NEWEST} WHERE npi = 9", 998),
        ("ALTER TABLE raw.rows ALTER label TYPE varchar(50), ALTER share TYPE numeric(20, 10)", 1000),
        ("UPDATE raw.rows SET npi = 2000 WHERE npi = 1000", 1000),
    ],
)
def test_no_row_is_lost_or_kept_too_long(
    postgres_server: PostgresServer,
    database: str,
    connection: psycopg.Connection,
    tmp_path: Path,
    change: str,
    read: int,
) -> None:
    connection.execute("ALTER TABLE raw.rows ALTER updated_at DROP NOT NULL")
    section = section_of(postgres_server, database, overlap_minutes=1)
    parts, whole = (rows_export(tmp_path / name, **INCREMENTAL) for name in ("parts", "whole"))
    export(section, [parts], tmp_path / "parts.json")
    connection.execute(change)  # type: ignore[call-overload]
    done = export(section, [parts], tmp_path / "parts.json")["raw.rows"]
    export(section, [whole], tmp_path / "whole.json")
    assert parts.output.read_bytes() == whole.output.read_bytes()
    assert done.read == read


@pytest.mark.parametrize("changes", [{"columns": COLUMNS | {"label": "tags"}}, {"updated_column": "day"}])
def test_another_question_is_not_answered_from_the_old_file(
    postgres_server: PostgresServer, database: str, tmp_path: Path, changes: dict[str, object]
) -> None:
    section = section_of(postgres_server, database)
    export(section, [rows_export(tmp_path, **INCREMENTAL)], tmp_path / "w.json")
    other = rows_export(tmp_path, **(INCREMENTAL | changes))
    assert export(section, [other], tmp_path / "w.json")["raw.rows"].read == 1000


def test_a_file_that_is_not_the_watermarks_is_read_anew(
    postgres_server: PostgresServer, database: str, tmp_path: Path
) -> None:
    """As after a kill between the file's renaming and the watermark's: the two do not belong together."""
    section, table = section_of(postgres_server, database), rows_export(tmp_path, **INCREMENTAL)
    export(section, [table], tmp_path / "w.json")
    before = table.output.read_bytes()
    pl.read_parquet(table.output).head(10).write_parquet(table.output)
    assert export(section, [table], tmp_path / "w.json")["raw.rows"].read == 1000
    assert table.output.read_bytes() == before


def test_a_key_that_is_none_is_refused(
    postgres_server: PostgresServer, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    section = section_of(postgres_server, database)
    with pytest.raises(RiskflowError, match="748 rows have no key of their own in ok, label"):
        connection.execute("UPDATE raw.rows SET label = 'same' WHERE label IS NULL OR npi % 2 = 0")
        export(section, [rows_export(tmp_path, key=["ok", "label"], **INCREMENTAL)], tmp_path / "w.json")
    assert not list(tmp_path.glob("*"))


def test_a_value_that_no_file_can_hold_is_not_shown(
    postgres_server: PostgresServer, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    connection.execute("UPDATE raw.rows SET day = 'infinity', label = 'CANARY' WHERE npi = 7")
    with pytest.raises(RiskflowError, match=r"column day: a value is no date32\[day\]") as caught:
        export(section_of(postgres_server, database), [rows_export(tmp_path)], tmp_path / "w.json")
    assert "CANARY" not in str(caught.value) and not list(tmp_path.glob("*"))


@pytest.mark.parametrize("updated", ["", "updated_at"])
def test_a_changed_table_is_noticed(
    postgres_server: PostgresServer, database: str, connection: psycopg.Connection, updated: str
) -> None:
    section, tables = section_of(postgres_server, database), [("raw.rows", updated)]
    first = changes(section, tables)
    assert changes(section, tables) == first
    connection.execute(f"UPDATE raw.rows SET updated_at = {NEWEST} + INTERVAL '1 second' WHERE npi = 3")
    second = changes(section, tables)
    connection.execute("DELETE FROM raw.rows WHERE npi = 3")
    assert len({first, second, changes(section, tables)}) == 3


def test_a_server_that_crashes_in_mid_export_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = PostgresServer(profile="durable")
    try:
        server.start()
        with server.connect() as inside:
            inside.execute(MAKE)
        section = section_of(server, "postgres", retry_seconds=30)
        undisturbed, table = rows_export(tmp_path / "1"), rows_export(tmp_path / "2")
        export(section, [undisturbed], tmp_path / "1.json")
        groups, crashes = postgres_copy.row_groups, list[threading.Thread]()

        def crashing(*arguments: object) -> object:
            if not crashes:
                server.crash()
                crashes.append(threading.Thread(target=server.start))
                crashes[0].start()
            return groups(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(postgres_copy, "row_groups", crashing)
        export(section, [table], tmp_path / "2.json")
        crashes[0].join()
        assert table.output.read_bytes() == undisturbed.output.read_bytes()
    finally:
        server.stop()


def test_an_empty_table_and_many_row_groups(
    postgres_server: PostgresServer,
    database: str,
    connection: psycopg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.execute("CREATE TABLE raw.empty AS SELECT * FROM raw.rows LIMIT 0")
    table = rows_export(tmp_path, table="raw.empty")
    section = section_of(postgres_server, database)
    assert export(section, [table], tmp_path / "w.json")["raw.empty"].rows == 0
    assert pl.read_parquet(table.output).columns == list(COLUMNS)
    monkeypatch.setattr(postgres_copy, "ROW_GROUP_ROWS", 64)
    monkeypatch.setattr(postgres_copy, "BLOCK_BYTES", 1000)
    small = rows_export(tmp_path, output=tmp_path / "small.parquet")
    export(section, [small], tmp_path / "w.json")
    assert pl.read_parquet(small.output)["npi"].to_list() == list(range(1, 1001))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"table": "raw.gone"}, 'relation "raw.gone" does not exist'),
        ({"columns": {"npi": "gone"}}, 'column "gone" does not exist'),
        ({"table": 'raw.rows"; DROP TABLE raw.rows; --'}, "does not exist"),
        ({"columns": {"npi": 'npi" FROM raw.rows; DROP TABLE raw.rows; --'}}, "does not exist"),
        ({"key": ["gone"]}, "the key needs the columns gone"),
        ({"updated_column": "npi) FROM raw.rows; DROP TABLE raw.rows; --"}, "does not exist"),
    ],
)
def test_wrong_names_are_named_and_only_names(
    postgres_server: PostgresServer,
    database: str,
    connection: psycopg.Connection,
    tmp_path: Path,
    changes: dict[str, object],
    sentence: str,
) -> None:
    with pytest.raises(RiskflowError, match=sentence):
        export(section_of(postgres_server, database), [rows_export(tmp_path, **changes)], tmp_path / "w.json")
    assert connection.execute("SELECT count(*) FROM raw.rows").fetchone() == (1000,)
    assert not list(tmp_path.glob("*.parquet"))


def test_a_connection_cut_in_mid_copy_is_retried(
    postgres_server: PostgresServer, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts: list[int] = []
    groups = postgres_copy.row_groups

    def cutting(*arguments: object) -> object:
        if not cuts:
            cuts.append(1)
            with postgres_server.connect() as other:
                query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'riskflow'"
                other.execute(query)
                time.sleep(0.3)
            raise psycopg.OperationalError("connection lost")
        return groups(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres_copy, "row_groups", cutting)
    table = rows_export(tmp_path)
    assert (
        export(section_of(postgres_server, database), [table], tmp_path / "w.json")["raw.rows"].rows == 1000
    )
    assert cuts == [1]


EXPORT_IN_A_PROCESS = """
import resource, sys
from pathlib import Path
from riskflow.config.postgres import PostgresSource
from riskflow.sources.postgres import Export, export
port, password, database, folder = sys.argv[1:]
section = PostgresSource(port=int(port), database=database, user="postgres", password_file=password)
columns = {name: name for name in ("n", "a", "b", "c")}
for size in ("small", "large"):
    table = Export(f"public.{size}", lambda _: columns, Path(folder) / f"{size}.parquet", ["n"])
    rows = export(section, [table], Path(folder) / "w.json")[f"public.{size}"].rows
    print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_table(
    postgres_server: PostgresServer, database: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    for name, rows in (("small", 250_000), ("large", 2_500_000)):
        connection.execute(
            f"CREATE TABLE {name} AS SELECT n, md5(n::text) AS a, md5(n::text || 'x') AS b, n * 1.5 AS c "
            f"FROM generate_series(1, {rows}) AS n"
        )
    arguments = [str(postgres_server.port), str(postgres_server.password_file), database, str(tmp_path)]
    command = [sys.executable, "-c", EXPORT_IN_A_PROCESS, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (small_rows, small), (large_rows, large) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (small_rows, large_rows) == (250_000, 2_500_000)
    assert large < small + 150  # MiB, for ten times the rows
