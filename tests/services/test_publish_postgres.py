"""Publishing to a real PostgreSQL: all or nothing, only what differs, and never an older run over a newer one."""

import json
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import psycopg
import pytest

from riskflow.config.providers import DeltaSection, ScoringSection
from riskflow.config.publish import PostgresSection
from riskflow.errors import RiskflowError
from riskflow.providers.publish import postgres as publisher
from riskflow.providers.publish.postgres import PublishToPostgresStage
from riskflow.publish import postgres_tables
from riskflow.receipts import Receipt
from tests.paths import REPOSITORY
from tests.services.postgres_server import PostgresServer
from tests.services.published import scores, written

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("postgres")]
ROWS = 500


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"test_{time.monotonic_ns()}"
    with postgres_server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def section(postgres_server: PostgresServer, database: str) -> PostgresSection:
    return section_of(postgres_server, database)


def section_of(server: PostgresServer, database: object, **changes: object) -> PostgresSection:
    values = {
        "host": "127.0.0.1",
        "port": server.port,
        "database": database,
        "user": "postgres",
        "password_file": str(server.password_file),
        "retry_seconds": 30,
    }
    return PostgresSection.model_validate(values | changes)


@pytest.fixture
def ask(
    postgres_server: PostgresServer, database: str
) -> Iterator[Callable[[str], list[tuple[object, ...]]]]:
    with postgres_server.connect(database) as connection:
        connection.execute("SET search_path TO riskflow")

        def query(text: str) -> list[tuple[object, ...]]:
            cursor = connection.execute(text)  # type: ignore[call-overload]
            return list(cursor.fetchall()) if cursor.description else []

        yield query


def publish(section: PostgresSection, what: dict[str, object], **delta: object) -> Receipt:
    delta_section = DeltaSection.model_validate(delta)
    config = PublishToPostgresStage(scoring=ScoringSection(), delta=delta_section, postgres=section)
    return publisher.run(**what, config=config)  # type: ignore[arg-type]


Ask = Callable[[str], list[tuple[object, ...]]]
EVERYTHING = "SELECT * FROM provider_risk_scores ORDER BY npi"
WITHOUT_TIME = "SELECT (to_jsonb(t) - 'updated_at')::text FROM provider_risk_scores t ORDER BY npi"


def test_the_first_publish_holds_every_value(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    frame = scores(ROWS)
    receipt = publish(section, written(tmp_path, frame))
    assert receipt.counts == {"rows": ROWS, "written": ROWS, "removed": 0, "no_op": 0}
    columns = (
        "npi, display_name, entity_type, risk_score_exact, reasons, nearest_exclusion_path, data_window_years"
    )
    found = ask(
        f"SELECT {columns}, risk_score::float8, payments_after_exclusion FROM provider_risk_scores ORDER BY npi"
    )
    for row, sent in zip(found, frame.sort("npi").to_dicts(), strict=True):
        assert row[:4] == (sent["npi"], sent["display_name"], sent["entity_type"], sent["risk_score"])
        assert row[4:7] == (sent["reasons"], sent["nearest_exclusion_path"], sent["data_window_years"])
        assert row[7] == pytest.approx(sent["risk_score"], abs=0.005001)
        cents = sent["payments_after_exclusion_cents"]
        assert (None if row[8] is None else row[8] * 100) == cents  # type: ignore[operator]
    assert ask("SELECT flags, components ? 'billing' FROM provider_risk_scores LIMIT 1") == [
        ([{"flag": "x", "value": 1.5}], True)
    ]
    assert ask("SELECT run_id, rows_published FROM published_tables") == [(receipt.facts["run_id"], ROWS)]
    assert ask("SELECT track, method, git_clean IS NOT NULL FROM run_registry") == [("providers", "v1", True)]


def test_a_run_that_was_published_is_a_no_op(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    what = written(tmp_path, scores(ROWS))
    publish(section, what)
    before = ask("SELECT xmin::text, * FROM provider_risk_scores ORDER BY npi")
    assert publish(section, what).counts == {"rows": ROWS, "written": 0, "removed": 0, "no_op": 1}
    assert ask("SELECT xmin::text, * FROM provider_risk_scores ORDER BY npi") == before


def test_only_rows_that_differ_are_written(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    before = dict(ask("SELECT npi, updated_at FROM provider_risk_scores"))  # type: ignore[arg-type]
    receipt = publish(section, written(tmp_path / "2", scores(ROWS, changed_every=100), day=2))
    assert receipt.counts == {"rows": ROWS, "written": 5, "removed": 0, "no_op": 0}
    after = dict(ask("SELECT npi, updated_at FROM provider_risk_scores"))  # type: ignore[arg-type]
    assert sum(after[npi] != at for npi, at in before.items()) == 5
    assert ask("SELECT count(*) FROM provider_risk_scores_history") == [(0,)]


def test_rows_that_are_gone_are_removed(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    receipt = publish(section, written(tmp_path / "2", scores(ROWS, shift=10), day=2))
    assert receipt.counts["removed"] == 10
    assert ask("SELECT count(*), min(npi) FROM provider_risk_scores") == [(ROWS, "1000000010")]


def test_a_delta_run_leaves_the_others_alone(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    few = scores(ROWS, changed_every=1).head(3)
    receipt = publish(section, written(tmp_path / "2", few, day=2), only=[1000000000])
    assert receipt.counts == {"rows": 3, "written": 3, "removed": 0, "no_op": 0}
    assert ask("SELECT count(*), count(DISTINCT run_id) FROM provider_risk_scores") == [(ROWS, 2)]


def test_replaced_and_removed_rows_go_to_the_history(
    postgres_server: PostgresServer, database: str, ask: Ask, tmp_path: Path
) -> None:
    section = section_of(postgres_server, database, history=True)
    first = publish(section, written(tmp_path / "1", scores(ROWS))).facts["run_id"]
    second = publish(section, written(tmp_path / "2", scores(ROWS - 2, changed_every=250), day=2)).facts[
        "run_id"
    ]
    found = ask("SELECT run_id, replaced_by, count(*) FROM provider_risk_scores_history GROUP BY 1, 2")
    changed = scores(ROWS).join(scores(ROWS - 2, changed_every=250), on="npi", how="anti").height
    assert found[0][:2] == (first, second) and found[0][2] >= changed + 2  # type: ignore[operator]


def test_an_older_run_never_overwrites_a_newer_one(
    section: PostgresSection, ask: Ask, tmp_path: Path
) -> None:
    publish(section, written(tmp_path / "2", scores(ROWS, changed_every=7), day=2))
    before = ask(EVERYTHING)
    with pytest.raises(RiskflowError, match="which is newer than this run"):
        publish(section, written(tmp_path / "1", scores(ROWS), day=1))
    assert ask(EVERYTHING) == before


def test_rows_changed_by_hand_are_put_back(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    ask("UPDATE provider_risk_scores SET risk_score = 1.23, rank = 7 WHERE npi = '1000000007'")
    publish(section, written(tmp_path / "2", scores(ROWS), day=2))
    wrong = ask(
        "SELECT npi FROM provider_risk_scores WHERE round(risk_score_exact::numeric, 2) <> risk_score"
    )
    assert wrong == []


def test_a_trigger_that_changes_rows_stops_the_publish(
    section: PostgresSection, ask: Ask, tmp_path: Path
) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    before = ask(EVERYTHING)
    ask("CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.rank := 1; RETURN NEW; END'")
    ask("CREATE TRIGGER t BEFORE UPDATE ON provider_risk_scores FOR EACH ROW EXECUTE FUNCTION meddle()")
    with pytest.raises(RiskflowError, match="what was read back is not what was sent"):
        publish(section, written(tmp_path / "2", scores(ROWS, changed_every=3), day=2))
    assert ask(EVERYTHING) == before


def test_readers_never_see_half_a_run(
    section: PostgresSection, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    seen: list[list[tuple[object, ...]]] = []
    totals = postgres_tables._totals

    def looking(*arguments: object) -> object:
        seen.append(ask("SELECT count(*), count(DISTINCT run_id) FROM provider_risk_scores"))
        return totals(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres_tables, "_totals", looking)
    publish(section, written(tmp_path / "2", scores(ROWS + 100, changed_every=2), day=2))
    assert seen == [[(ROWS, 1)]]


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
    csv_bytes = postgres_tables.csv_bytes

    def cutting(frame: pl.DataFrame) -> bytes:
        if len(cuts) < times:
            cuts.append(1)
            with server.connect() as connection:
                query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'riskflow'"
                connection.execute(query)
                time.sleep(0.2)
        return csv_bytes(frame)

    monkeypatch.setattr(postgres_tables, "csv_bytes", cutting)
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


def test_the_publisher_role_needs_no_more_than_roles_sql_grants(
    postgres_server: PostgresServer, database: str, section: PostgresSection, tmp_path: Path
) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    postgres_server.run_sql_file(database, REPOSITORY / "docs" / "postgres_roles.sql", schema="riskflow")
    (tmp_path / "password").write_text("secret")
    with postgres_server.connect(database) as connection:
        connection.execute("ALTER ROLE riskflow_publisher PASSWORD 'secret'")
        connection.execute("ALTER ROLE riskflow_reader PASSWORD 'secret'")
    least = {"user": "riskflow_publisher", "password_file": str(tmp_path / "password")}
    limited = section_of(postgres_server, database, history=True, **least)
    receipt = publish(limited, written(tmp_path / "2", scores(ROWS, shift=5, changed_every=9), day=2))
    assert receipt.counts["removed"] == 5
    for user, allowed in (("riskflow_publisher", 1), ("riskflow_reader", 0)):
        with psycopg.connect(
            host="127.0.0.1", port=postgres_server.port, dbname=database, user=user, password="secret"
        ) as connection:
            query = "SELECT count(*) FROM riskflow.provider_risk_scores"
            assert connection.execute(query).fetchone() == (ROWS,)
            for statement in ("DROP TABLE riskflow.run_registry", "CREATE TABLE riskflow.x (a int)"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(statement)  # type: ignore[call-overload]
            if not allowed:
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute("DELETE FROM riskflow.provider_risk_scores")


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


PUBLISH_AND_DIE = """
import json, os, signal, sys
from pathlib import Path
from riskflow.config.providers import DeltaSection, ScoringSection
from riskflow.config.publish import PostgresSection
from riskflow.providers.publish import postgres
from riskflow.publish import postgres_tables

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
