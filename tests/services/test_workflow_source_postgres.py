"""The provider track from tables in a real PostgreSQL: the bytes of the files' run, and only what changed again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psycopg
import pytest
from psycopg import sql

from riskflow.config.providers import ExportStage, SourceSection, TableSource
from riskflow.errors import RiskflowError
from riskflow.providers import source_postgres
from riskflow.providers.demo import DemoSpec
from riskflow.providers.demo_files import write_demo
from riskflow.providers.demo_layout import FILES, NEW_NAMES, OLD_NAMES, sources
from riskflow.providers.ingest import ingest
from riskflow.providers.source_tables import TABLES
from tests.services.needs import wait_until
from tests.services.postgres_server import PostgresServer
from tests.services.publishing import fresh_database
from tests.workflow.harness import Workspace, executed
from tests.workflow.test_resume import start, wait_for_program

pytestmark = pytest.mark.service
SCORES = "providers/scores.parquet"
SETTINGS = {
    "quality": {"max_quarantined": 0.3},
    "shards": {"count": 3},
    "backtest": {"resamples": 20},
}
SECRET = "reader-password-51c7"


def raw_table(folder: Path, name: str, layout: TableSource) -> pl.DataFrame:
    """Return a raw table of the demo as text, in its files' order, under the newer release's names."""
    parts = [
        pl.read_csv(folder / file, infer_schema=False, encoding=layout.encoding.replace("utf8", "utf8-lossy"))
        for file in FILES[name]
    ]
    renamed = {OLD_NAMES[ours]: new for ours, new in NEW_NAMES.items()} if name == "payments" else {}
    return pl.concat(
        [part.rename({old: new for old, new in renamed.items() if old in part.columns}) for part in parts],
        how="diagonal",
    )


def insert(connection: psycopg.Connection, name: str, frame: pl.DataFrame) -> None:
    """Make the table raw.<name> with an id and a time of change, and fill it."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} text").format(sql.Identifier(column)) for column in frame.columns
    )
    table, names = sql.Identifier("raw", name), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    connection.execute(
        sql.SQL(
            "CREATE TABLE {} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {}, "
            "changed_at timestamptz NOT NULL DEFAULT now())"
        ).format(table, columns)
    )
    with connection.cursor().copy(
        sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(table, names)
    ) as copy:
        copy.write(frame.write_csv(include_header=False, quote_style="non_numeric").encode())
    changed = sql.SQL(
        "UPDATE {} SET changed_at = TIMESTAMPTZ '2024-01-01 00:00:00+00' + id * INTERVAL '1 hour'"
    )
    connection.execute(changed.format(table))


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[str]:
    with fresh_database(postgres_server, "raw") as name:
        yield name
    with postgres_server.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS raw_reader")


@pytest.fixture
def server(postgres_server: PostgresServer, database: str) -> Iterator[psycopg.Connection]:
    with postgres_server.connect(database) as connection:
        yield connection


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo's raw files."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    write_demo(DemoSpec(providers=300, seed=11, dirt=0.004), folder)
    return folder


@pytest.fixture(scope="module")
def tables(files: Path, postgres_server: PostgresServer, database: str) -> dict[str, dict[str, object]]:
    """The demo's raw tables on the server, where raw_reader may read them; their config sections."""
    sections = {}
    with postgres_server.connect(database) as connection:
        connection.execute("CREATE SCHEMA raw")
        for name, layout in sources(files).items():
            insert(connection, name, raw_table(files, name, layout))
            sections[name] = {
                **layout.model_dump(mode="json", include={"columns", "date_format"}),
                "table": f"raw.{name}",
                "key": ["id"],
                "updated_column": "changed_at",
            }
        connection.execute(f"CREATE ROLE raw_reader LOGIN PASSWORD '{SECRET}'")
        connection.execute("GRANT USAGE ON SCHEMA raw TO raw_reader")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA raw TO raw_reader")
    return sections


def postgres_source(
    server: PostgresServer, database: str, tables: dict[str, dict[str, object]]
) -> dict[str, object]:
    connection = {"port": server.port, "database": database, "user": "raw_reader", "as_of": "1"}
    return {"kind": "postgres", "postgres": connection, **tables}


def test_what_is_ingested_is_what_the_files_hold(
    files: Path,
    tables: dict[str, dict[str, object]],
    postgres_server: PostgresServer,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RISKFLOW_POSTGRES_PASSWORD", SECRET)
    section = SourceSection.model_validate(postgres_source(postgres_server, database, tables))
    outputs = {name: tmp_path / f"{name}.parquet" for name in tables}
    receipt = source_postgres.run(
        **outputs, watermarks=tmp_path / "watermarks.json", config=ExportStage(source=section)
    )
    for name, layout in sources(files).items():
        exported = ingest([outputs[name]], getattr(section, name), name)
        filed = ingest([files / file for file in FILES[name]], layout, name)
        assert exported.read == filed.read == receipt.counts[f"{name}_rows"]
        assert exported.kept.height > 50
        keys = TABLES[name].contract.key
        assert exported.kept.sort(keys).equals(filed.kept.sort(keys))
        rules = [table.quarantined["rule_id"].value_counts(sort=True) for table in (exported, filed)]
        assert rules[0].sort("rule_id").equals(rules[1].sort("rule_id"))


def test_a_table_without_a_column_is_named(
    tables: dict[str, dict[str, object]],
    postgres_server: PostgresServer,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RISKFLOW_POSTGRES_PASSWORD", SECRET)
    wrong = tables | {"payments": {**tables["payments"], "columns": {"payments": "PAID"}}}
    section = SourceSection.model_validate(postgres_source(postgres_server, database, wrong))
    outputs = {name: tmp_path / f"{name}.parquet" for name in tables}
    with pytest.raises(
        RiskflowError, match=r"raw\.payments lacks the column of payments \(looked for paid\)"
    ):
        source_postgres.run(**outputs, watermarks=tmp_path / "w.json", config=ExportStage(source=section))
    assert not (tmp_path / "payments.parquet").exists() and not (tmp_path / "w.json").exists()


@pytest.fixture(scope="module")
def from_files(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose provider track has run from the demo's files."""
    workspace = Workspace.create(tmp_path_factory.mktemp("files") / "riskflow", {})
    tables = {name: table.model_dump(mode="json") for name, table in sources(files).items()}
    workspace.overlay = {
        "tracks": ["providers"],
        "providers": {"source": {"kind": "files", **tables}, **SETTINGS},
    }
    workspace.build("providers")
    return workspace


@pytest.fixture(scope="module")
def from_postgres(
    tables: dict[str, dict[str, object]],
    postgres_server: PostgresServer,
    database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Workspace:
    """The same from the tables on the server; the password comes from the environment."""
    workspace = Workspace.create(tmp_path_factory.mktemp("postgres") / "riskflow", {})
    source = postgres_source(postgres_server, database, tables)
    workspace.overlay = {"tracks": ["providers"], "providers": {"source": source, **SETTINGS}}
    assert run(workspace)["providers_export"] == 1
    return workspace


def run(workspace: Workspace, *words: str) -> dict[str, int]:
    """Run the track and return rule → jobs done."""
    done = workspace.snakemake("providers", *words, env={"RISKFLOW_POSTGRES_PASSWORD": SECRET})
    assert done.status == 0, done.text
    return executed(done.text)


@pytest.mark.slow
def test_scores_are_the_bytes_of_the_files_run(from_files: Workspace, from_postgres: Workspace) -> None:
    assert not from_postgres.path("providers/source/registry.csv").exists()
    assert from_postgres.path(SCORES).read_bytes() == from_files.path(SCORES).read_bytes()


@pytest.mark.slow
def test_nothing_is_asked_again_until_the_config_says_so(from_postgres: Workspace) -> None:
    done = from_postgres.snakemake("--dry-run", "providers", env={"RISKFLOW_POSTGRES_PASSWORD": SECRET})
    assert done.status == 0 and done.jobs == {}, done.text
    assert SECRET not in "".join(
        path.read_text(errors="replace") for path in from_postgres.folder.rglob("*") if path.is_file()
    )


@pytest.mark.slow
def test_one_changed_row_scores_one_shard(
    from_postgres: Workspace, server: psycopg.Connection, tmp_path: Path
) -> None:
    """A nobody's peer is paid a cent more: one row is read, one shard is scored."""
    workspace = from_postgres.copy(tmp_path / "riskflow")
    paid, claims, npi = (sql.Identifier(NEW_NAMES[name]) for name in ("payments", "claims", "npi"))
    update = sql.SQL(
        "UPDATE raw.payments SET {paid} = ({paid}::numeric + 1)::text, changed_at = now() WHERE id = ("
        "SELECT min(id) FROM raw.payments "
        "WHERE {npi} ~ '^[1-9][0-9]{{9}}$' AND {claims} ~ '^[0-9]{{2}}$' AND {paid} ~ '^[0-9]+[.]?[0-9]*$')"
    ).format(paid=paid, claims=claims, npi=npi)
    assert server.execute(update).rowcount == 1
    workspace.overlay["providers"]["source"]["postgres"]["as_of"] = "2"
    done = run(workspace)
    assert done["providers_export"] == 1 and done["providers_score"] == 1
    counts = json.loads(workspace.path("providers/receipts/export.json").read_text())["counts"]
    assert 0 < counts["payments_read"] < counts["payments_rows"] / 2


@pytest.mark.slow
def test_a_watched_database_is_exported_when_it_changed(
    from_postgres: Workspace, server: psycopg.Connection, tmp_path: Path
) -> None:
    workspace = from_postgres.copy(tmp_path / "riskflow")
    workspace.overlay["providers"]["source"]["postgres"]["watch"] = True
    password = {"RISKFLOW_POSTGRES_PASSWORD": SECRET}
    assert workspace.snakemake("providers_export", env=password).status == 0
    assert workspace.snakemake("providers_export", "--dry-run", env=password).jobs == {}
    server.execute("UPDATE raw.registry SET changed_at = now() WHERE id = 5")
    planned = workspace.snakemake("providers_export", "--dry-run", env=password)
    assert planned.jobs == {"providers_export": 1}, planned.text
    refused = workspace.snakemake("--dry-run", env={"RISKFLOW_POSTGRES_PASSWORD": "not-it-3b9f"})
    assert refused.status != 0 and "refuses user raw_reader" in refused.text
    assert "not-it-3b9f" not in refused.text


@pytest.mark.slow
def test_an_exporter_killed_in_mid_run_is_done_again(
    from_postgres: Workspace,
    server: psycopg.Connection,
    postgres_server: PostgresServer,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody locks the payments, so that the registry's new file is there already when it is killed."""
    monkeypatch.setenv("RISKFLOW_POSTGRES_PASSWORD", SECRET)
    undisturbed, workspace = (from_postgres.copy(tmp_path / name) for name in ("undisturbed", "killed"))
    server.execute("UPDATE raw.registry SET changed_at = now() WHERE id = 7")
    server.execute("DELETE FROM raw.payments WHERE id BETWEEN 100 AND 120")
    for each in (undisturbed, workspace):
        each.overlay["providers"]["source"]["postgres"]["as_of"] = "killed"
    run(undisturbed)
    assert workspace.plan("providers")["providers_export"] == 1
    before = exported(workspace)
    assert exported(undisturbed) != before
    with postgres_server.connect(database) as other, other.transaction():
        other.execute("LOCK TABLE raw.payments IN ACCESS EXCLUSIVE MODE")
        disturbed = start(workspace)
        exporter = wait_for_program(disturbed, "providers_export.py")
        wait_until(lambda: waiting_for_locks(server) == 1, 30, "the exporter at the payments")
        assert exported(workspace) != before, "the registry is not exported yet"
        os.kill(exporter, signal.SIGKILL)
        assert disturbed.wait() != 0
    assert exported(workspace) == before, "the files of the export before belong together"
    assert not workspace.path("providers/receipts/export.json").exists()
    assert run(workspace)["providers_export"] == 1
    assert exported(workspace) == exported(undisturbed)
    assert workspace.path(SCORES).read_bytes() == undisturbed.path(SCORES).read_bytes()


def exported(workspace: Workspace) -> dict[str, bytes]:
    """Return name → content of what the export has made, half-written files too."""
    return {path.name: path.read_bytes() for path in workspace.path("providers/source").iterdir()}


def waiting_for_locks(server: psycopg.Connection) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'raw_reader'"
    (sessions,) = server.execute(query).fetchone() or (0,)
    return int(sessions)
