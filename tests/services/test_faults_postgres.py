"""What goes wrong while publishing to a real PostgreSQL: nothing is lost, and the error says what to do."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import polars as pl
import pytest

from riskflow.config.base import leaf_values
from riskflow.config.providers import DeltaSection, ScoringSection
from riskflow.config.publish import PostgresSection
from riskflow.errors import RiskflowError
from riskflow.providers.publish.postgres import PublishToPostgresStage
from riskflow.publish import postgres_difference, postgres_tables
from tests.paths import REPOSITORY
from tests.services.postgres_server import PostgresServer
from tests.services.published import scores, written
from tests.services.publishing import ROWS, WITHOUT_TIME, Ask, publish, section_of

pytestmark = pytest.mark.service


def test_two_publishers_at_once_end_as_one(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    what = [written(tmp_path / "a", scores(ROWS)), written(tmp_path / "b", scores(ROWS))]
    done: list[dict[str, int]] = []
    threads = [threading.Thread(target=lambda w=w: done.append(publish(section, w).counts)) for w in what]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts["no_op"] for counts in done) == [0, 1]
    assert ask("SELECT count(*) FROM provider_risk_scores") == [(ROWS,)]


def test_a_lock_held_too_long_says_so(
    postgres_server: PostgresServer, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = section_of(postgres_server, database, wait_seconds=1)
    held, let_go = threading.Event(), threading.Event()
    migrate = postgres_tables.migrate

    def slow(*arguments: object) -> object:
        held.set()
        let_go.wait(30)
        return migrate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres_tables, "migrate", slow)
    first = threading.Thread(target=publish, args=(section, written(tmp_path / "a", scores(5))))
    first.start()
    held.wait(30)
    try:
        with pytest.raises(RiskflowError, match="another publisher holds the lock"):
            publish(section, written(tmp_path / "b", scores(5)))
    finally:
        let_go.set()
        first.join()


def cut_connection(server: PostgresServer, monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Have the server drop the publisher's connection in mid-COPY, so many times."""
    cuts: list[int] = []
    csv_bytes = postgres_difference.csv_bytes

    def cutting(frame: pl.DataFrame) -> bytes:
        if len(cuts) < times:
            cuts.append(1)
            with server.connect() as connection:
                query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'riskflow'"
                connection.execute(query)
                time.sleep(0.2)
        return csv_bytes(frame)

    monkeypatch.setattr(postgres_difference, "csv_bytes", cutting)
    return cuts


def test_a_connection_cut_in_mid_copy_is_retried(
    section: PostgresSection,
    postgres_server: PostgresServer,
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuts = cut_connection(postgres_server, monkeypatch, times=2)
    receipt = publish(section, written(tmp_path, scores(ROWS)))
    assert len(cuts) == 2 and receipt.counts["written"] == ROWS
    assert ask("SELECT count(*) FROM provider_risk_scores") == [(ROWS,)]


def test_a_connection_cut_too_often_loses_nothing(
    postgres_server: PostgresServer, database: str, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = section_of(postgres_server, database, retry_seconds=0)
    publish(section, written(tmp_path / "1", scores(ROWS)))
    before = ask(WITHOUT_TIME)
    with monkeypatch.context() as patch:
        cut_connection(postgres_server, patch, times=1)
        with pytest.raises(RiskflowError) as caught:
            publish(section, written(tmp_path / "2", scores(ROWS, changed_every=2), day=2))
    assert "nothing" in str(caught.value) and ask(WITHOUT_TIME) == before
    publish(section, written(tmp_path / "2", scores(ROWS, changed_every=2), day=2))
    assert ask(WITHOUT_TIME) != before


def test_a_server_that_crashes_in_mid_copy_and_comes_back_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, rows = PostgresServer(profile="durable"), 9_000
    monkeypatch.setattr(postgres_difference, "ROWS_PER_CHUNK", 2048)
    crashes: list[threading.Thread] = []
    csv_bytes = postgres_difference.csv_bytes

    def crashing(frame: pl.DataFrame) -> bytes:
        if not crashes and frame["npi"][0] > "1000000001":
            server.crash()
            crashes.append(threading.Thread(target=server.start))
            crashes[0].start()
        return csv_bytes(frame)

    try:
        server.start()
        section = section_of(server, "postgres")
        publish(section, written(tmp_path / "1", scores(ROWS)))
        monkeypatch.setattr(postgres_difference, "csv_bytes", crashing)
        second = publish(section, written(tmp_path / "2", scores(rows, changed_every=3), day=2))
        crashes[0].join()
        assert second.counts["rows"] == rows
        with server.connect() as connection:
            found = connection.execute(
                "SELECT count(*), sum(row_hash) FROM riskflow.provider_risk_scores"
            ).fetchone()
            connection.execute("DROP SCHEMA riskflow CASCADE")
            publish(section, written(tmp_path / "2", scores(rows, changed_every=3), day=2))
            undisturbed = "SELECT count(*), sum(row_hash) FROM riskflow.provider_risk_scores"
            assert connection.execute(undisturbed).fetchone() == found
    finally:
        server.stop()


def test_the_program_says_one_line_and_writes_no_receipt(tmp_path: Path) -> None:
    what = written(tmp_path, scores(5))
    params = [
        f"config.{key}={value}"
        for key, value in leaf_values(
            PublishToPostgresStage(
                scoring=ScoringSection(),
                delta=DeltaSection(),
                postgres=PostgresSection(port=1, retry_seconds=0),
            ).model_dump(mode="json")
        ).items()
    ]
    program = [sys.executable, str(REPOSITORY / "workflow/scripts/providers_publish_postgres.py")]
    files = ["--scores", str(what["scores"]), "--receipts", str(tmp_path / "explain.json")]
    done = subprocess.run(
        [*program, *files, "--receipt", str(tmp_path / "receipt.json"), "--params", *params],
        capture_output=True, text=True, check=False, env=os.environ | {"RISKFLOW_POSTGRES_PASSWORD": "canary-6e1d"},
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "no PostgreSQL answers at 127.0.0.1:1" in line]
    assert done.returncode == 1 and len(said) == 1
    assert "start the server, or check host and port in the config" in done.stderr
    assert "Traceback" not in done.stderr and "canary-6e1d" not in done.stderr
    assert not (tmp_path / "receipt.json").exists()


def test_a_server_that_crashes_between_two_publishes(tmp_path: Path) -> None:
    server = PostgresServer(profile="durable")
    try:
        server.start()
        section = section_of(server, "postgres")
        first = written(tmp_path / "1", scores(ROWS))
        publish(section, first)
        server.crash()
        restart = threading.Timer(2, server.start)
        restart.start()
        second = publish(section, written(tmp_path / "2", scores(ROWS, changed_every=5), day=2))
        restart.join()
        assert second.counts["written"] == 100
        with server.connect() as connection:
            assert connection.execute("SELECT count(*) FROM riskflow.provider_risk_scores").fetchone() == (
                ROWS,
            )
    finally:
        server.stop()


PUBLISH_AND_DIE = """
import json, os, signal, sys
from pathlib import Path
from riskflow.config.providers import DeltaSection, ScoringSection
from riskflow.config.publish import PostgresSection
from riskflow.providers.publish import postgres
from riskflow.publish import postgres_difference, postgres_tables

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

settings, folder, moment = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if moment == "before commit":
    postgres_tables._register = die
else:
    publish = postgres.publish
    postgres.publish = lambda *arguments: (publish(*arguments), die())
config = postgres.PublishToPostgresStage(
    scoring=ScoringSection(), delta=DeltaSection(), postgres=PostgresSection(**settings)
)
postgres.run(scores=folder / "scores.parquet", receipts=[folder / "explain.json"], config=config)
"""


@pytest.mark.parametrize(("moment", "no_op"), [("before commit", 0), ("after commit", 1)])
def test_a_publisher_killed_is_all_or_nothing_and_resumes(
    section: PostgresSection, ask: Ask, tmp_path: Path, moment: str, no_op: int
) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    before = ask(WITHOUT_TIME)
    what = written(tmp_path / "2", scores(ROWS + 7, changed_every=2), day=2)
    command = [sys.executable, "-c", PUBLISH_AND_DIE, section.model_dump_json(), str(tmp_path / "2"), moment]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (ask(WITHOUT_TIME) == before) == (moment == "before commit")
    assert publish(section, what).counts["no_op"] == no_op
    assert ask("SELECT count(*), count(DISTINCT npi) FROM provider_risk_scores") == [(ROWS + 7, ROWS + 7)]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("ALTER TABLE provider_risk_scores DROP COLUMN rank", "missing columns: rank"),
        ("ALTER TABLE provider_risk_scores ALTER rank TYPE integer", "rank is integer, not bigint"),
        ("DROP TABLE provider_risk_scores", "UndefinedTable"),
        ("UPDATE riskflow_migrations SET sha256 = 'x'", "was applied with other content"),
    ],
)
def test_a_changed_table_is_named(
    section: PostgresSection, ask: Ask, tmp_path: Path, damage: str, sentence: str
) -> None:
    publish(section, written(tmp_path / "1", scores(50)))
    ask(damage)
    with pytest.raises(RiskflowError, match=sentence):
        publish(section, written(tmp_path / "2", scores(50, changed_every=2), day=2))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"port": 1}, "no PostgreSQL answers at 127.0.0.1:1"),
        ({"user": "somebody"}, "refuses user somebody"),
        ({"password_file": "WRONG"}, "refuses user postgres"),
        ({"password_file": "/nowhere/password"}, "password_file of PostgreSQL: cannot read"),
        ({"database": "nothere"}, "has no database nothere"),
        ({"database": "postgres port=1"}, "has no database postgres port=1"),
        ({"user": "x' host='10.0.0.1"}, "refuses user x' host='10.0.0.1"),
        ({"sslmode": "verify-full"}, "no TLS connection as asked"),
    ],
)
def test_errors_say_what_to_do_and_never_the_password(
    postgres_server: PostgresServer, database: str, tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    if changes.get("password_file") == "WRONG":
        (tmp_path / "wrong").write_text("CANARY-PASSWORD")
        changes = {"password_file": str(tmp_path / "wrong")}
    with pytest.raises(RiskflowError) as caught:
        publish(
            section_of(postgres_server, **({"database": database, "retry_seconds": 0} | changes)),
            written(tmp_path, scores(5)),
        )
    trace = "".join(traceback.format_exception(caught.value))
    assert sentence in str(caught.value)
    assert "CANARY-PASSWORD" not in trace and postgres_server.password not in trace
