"""Names and values are only that, rights are the least, passwords stay inside: on a real PostgreSQL."""

import json
import shutil
import subprocess
import traceback
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psycopg
import pytest

from riskflow.config.publish import PostgresSection
from riskflow.errors import RiskflowError
from riskflow.publish.postgres import connected
from tests.paths import REPOSITORY
from tests.services.needs import wait_until
from tests.services.postgres_server import PostgresServer
from tests.services.published import scores, written
from tests.services.published_tracks import members, notes
from tests.services.publishing import ROWS, Ask, publish, publish_members, publish_notes, section_of

pytestmark = pytest.mark.service


def test_no_value_is_in_a_message(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    publish(section, written(tmp_path / "1", scores(50)))
    ask("ALTER TABLE provider_risk_scores ADD CHECK (display_name NOT LIKE '%CANARY%')")
    bad = scores(50).with_columns(display_name=pl.lit("CANARY"))
    with pytest.raises(RiskflowError) as caught:
        publish(section, written(tmp_path / "2", bad, day=2))
    assert "provider_risk_scores_display_name_check" in str(caught.value)
    assert "CANARY" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("name", ['x"; DROP TABLE pg_class; --', "Schéma %s {}", "select"])
def test_any_schema_name_is_only_a_name(
    postgres_server: PostgresServer, database: str, tmp_path: Path, name: str
) -> None:
    section = section_of(postgres_server, database, schema_name=name)
    assert publish(section, written(tmp_path, scores(20))).counts["written"] == 20
    with postgres_server.connect(database) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = %s", [name]).fetchone()
    assert found == (5,)


def test_values_that_look_like_sql_are_only_values(
    section: PostgresSection, ask: Ask, tmp_path: Path
) -> None:
    evil = "'; DROP TABLE provider_risk_scores; -- \\. \\N %s {} $1"
    frame = scores(10).with_columns(
        display_name=pl.lit(evil), reasons=pl.concat_list([pl.lit(evil), pl.lit(evil)])
    )
    publish(section, written(tmp_path, frame))
    assert ask("SELECT DISTINCT display_name, reasons FROM provider_risk_scores") == [(evil, [evil, evil])]


TABLES = (
    "riskflow.provider_risk_scores",
    "main_runs.risk_scores",
    "main_analytics.transfers",
    "notes.patients",
)


def test_the_publisher_role_needs_no_more_than_roles_sql_grants(
    postgres_server: PostgresServer, database: str, section: PostgresSection, tmp_path: Path
) -> None:
    """The owner's first publish makes the tables; every later one of every track runs under the role."""
    publish(section, written(tmp_path / "1", scores(ROWS)))
    publish_members(section, members(tmp_path / "m1"))
    publish_notes(section, notes(tmp_path / "n1"))
    postgres_server.run_sql_file(database, REPOSITORY / "docs" / "postgres_roles.sql")
    (tmp_path / "password").write_text("secret")
    with postgres_server.connect(database) as connection:
        connection.execute("ALTER ROLE riskflow_publisher PASSWORD 'secret'")
        connection.execute("ALTER ROLE riskflow_reader PASSWORD 'secret'")
    least = {"user": "riskflow_publisher", "password_file": str(tmp_path / "password")}
    limited = section_of(postgres_server, database, history=True, **least)
    receipt = publish(limited, written(tmp_path / "2", scores(ROWS, shift=5, changed_every=9), day=2))
    assert receipt.counts["removed"] == 5
    delta = publish(limited, written(tmp_path / "3", scores(9, shift=3), day=3), only=[1_000_000_003])
    assert delta.counts["written"] > 0
    assert publish_members(limited, members(tmp_path / "m2", 20, factor=1.25, day=2)).counts["removed"] > 0
    assert publish_notes(limited, notes(tmp_path / "n2", shift=3, day=2)).counts["removed"] > 0
    for user in ("riskflow_publisher", "riskflow_reader"):
        refused = ["DROP TABLE riskflow.run_registry", "CREATE TABLE riskflow.x (a int)", "CREATE SCHEMA x"]
        refused += [f"TRUNCATE {table}" for table in TABLES]
        refused += ["DELETE FROM riskflow.riskflow_migrations"]
        if user == "riskflow_reader":
            refused += [f"DELETE FROM {table}" for table in TABLES]
        with psycopg.connect(
            host="127.0.0.1", port=postgres_server.port, dbname=database, user=user, password="secret"
        ) as connection:
            for table in TABLES:
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() != (0,)
            for statement in refused:
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(statement)  # type: ignore[call-overload]


def test_a_role_without_grants_is_told_where_they_are(
    postgres_server: PostgresServer, database: str, section: PostgresSection, tmp_path: Path
) -> None:
    publish(section, written(tmp_path / "1", scores(20)))
    with postgres_server.connect(database) as connection:
        connection.execute("CREATE ROLE nobody_special LOGIN PASSWORD 'secret'")
    (tmp_path / "password").write_text("secret")
    limited = section_of(
        postgres_server, database, user="nobody_special", password_file=str(tmp_path / "password")
    )
    with pytest.raises(
        RiskflowError, match=r"nobody_special may not use the schema riskflow[\s\S]*roles\.sql"
    ):
        publish(limited, written(tmp_path / "2", scores(20, changed_every=2), day=2))


def test_the_password_is_in_no_receipt(
    section: PostgresSection, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    receipt = publish(section, written(tmp_path, scores(5)))
    receipt.write(tmp_path / "receipt.json")
    assert postgres_server.password not in json.dumps(receipt.facts) + (tmp_path / "receipt.json").read_text()


@pytest.fixture(scope="module")
def tls(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with server.crt, of a server that now speaks TLS as 127.0.0.1, and other.crt, of nobody."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("server", "other"):
        certificate(folder, name, "IP:127.0.0.1")
    for name in ("server.crt", "server.key"):
        shutil.copy(folder / name, postgres_server.folder / "data" / name)
        shutil.chown(postgres_server.folder / "data" / name, *owner_of(postgres_server.folder / "data"))
        (postgres_server.folder / "data" / name).chmod(0o600)
    switch(postgres_server, "on")
    yield folder
    switch(postgres_server, "off")


def certificate(folder: Path, name: str, whom: str) -> None:
    """Make a self-signed certificate and its key."""
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "2", "-subj", "/CN=riskflow test"]
    subprocess.run([*words, "-addext", f"subjectAltName={whom}"], cwd=folder, check=True, capture_output=True)


def owner_of(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


def switch(server: PostgresServer, state: str) -> None:
    with server.connect() as connection:
        connection.execute(f"ALTER SYSTEM SET ssl = {state}")
        connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: connection.execute("SHOW ssl").fetchone() == (state,), 20, "TLS")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_publishing_over_tls(
    postgres_server: PostgresServer, database: str, tls: Path, tmp_path: Path, mode: str
) -> None:
    section = section_of(postgres_server, database, sslmode=mode, sslrootcert=str(tls / "server.crt"))
    assert publish(section, written(tmp_path, scores(20))).counts["written"] == 20
    with connected(section) as connection:
        query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert connection.execute(query).fetchone() == (True,)


@pytest.mark.parametrize(("host", "root"), [("127.0.0.1", "other.crt"), ("localhost", "server.crt")])
def test_a_server_that_is_not_who_it_says_is_refused(
    postgres_server: PostgresServer, database: str, tls: Path, tmp_path: Path, host: str, root: str
) -> None:
    """A certificate of another authority, and one for another name."""
    files = {"sslmode": "verify-full", "sslrootcert": str(tls / root), "retry_seconds": 0}
    section = section_of(postgres_server, database, host=host, **files)
    with pytest.raises(RiskflowError, match=r"no TLS connection as asked \(verify-full\)"):
        publish(section, written(tmp_path, scores(20)))
