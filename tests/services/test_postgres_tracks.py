"""The members' and notes' tables in a real PostgreSQL hold what the warehouse holds, in one transaction per run."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import psycopg
import pytest
from psycopg import sql

from riskflow.config.members_runs import MembersPublishStage, MembersRunsSection
from riskflow.config.publish import PostgresSection
from riskflow.errors import RiskflowError
from riskflow.members import warehouse as members_warehouse
from riskflow.notes import publish as notes_warehouse
from riskflow.publish import postgres_difference, warehouse
from tests.services.postgres_server import PostgresServer
from tests.services.published_tracks import members, notes
from tests.services.publishing import Ask, publish_members, publish_notes, section_of

pytestmark = pytest.mark.service
NOTES = ("patients", "encounters", "observations", "audit", "quarantine")


def same_rows(server: PostgresServer, database: str, warehouse: Path, table: str, there: str) -> int:
    """Assert that a table of the warehouse and one in PostgreSQL hold the same rows; return how many."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        held = connection.sql(f"SELECT * FROM {table}").pl()
    with server.connect(database) as connection:
        schema, _, name = there.partition(".")
        columns = sql.SQL(", ").join(map(sql.Identifier, held.columns))
        cursor = connection.execute(
            sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(schema, name))
        )
        rows = [tuple(map(plain, row)) for row in cursor.fetchall()]
    assert sorted(rows, key=repr) == sorted((tuple(map(plain, row)) for row in held.rows()), key=repr), table
    return len(rows)


def plain(value: object) -> object:
    """Return JSON texts as what they say, as the server's driver does."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def test_members_tables_hold_what_the_warehouse_holds(
    section: PostgresSection, postgres_server: PostgresServer, database: str, tmp_path: Path
) -> None:
    what = members(tmp_path)
    receipt = publish_members(section, what)
    there = {name: value for name, value in what.items() if name != "receipts"}
    stage = MembersPublishStage(runs=MembersRunsSection())
    members_warehouse.run(**there, warehouse_file=tmp_path / "warehouse.duckdb", config=stage)
    rows = {
        table: same_rows(postgres_server, database, tmp_path / "warehouse.duckdb", table, table)
        for table in (*members_warehouse.TARGETS, "main_intermediate.unpaid_codes")
    }
    assert rows["main_runs.risk_scores"] == 60 and min(rows.values()) >= 2
    assert receipt.counts["rows"] == receipt.counts["written"] == sum(rows.values()) + 4
    assert publish_members(section, what).counts["no_op"] == 1


def test_other_runs_of_members_stay_and_only_rows_that_differ_are_written(
    section: PostgresSection, ask: Ask, tmp_path: Path
) -> None:
    publish_members(section, members(tmp_path / "1"))
    again = publish_members(section, members(tmp_path / "2", factor=1.25, day=2)).counts
    assert (again["written"], again["removed"]) == (30 + 4, 0)  # the current scores, and transfers
    fewer = publish_members(section, members(tmp_path / "3", 20, factor=1.25, day=3)).counts
    assert fewer["removed"] == 10 * 2 + 10 * 2 + 5 + 10  # scores, spans, rejected rows, the comparison
    assert ask("SELECT count(DISTINCT run_id), count(*) FROM main_runs.risk_scores") == [(2, 40)]
    assert ask("SELECT count(*), count(DISTINCT status) FROM main_runs.run_registry") == [(4, 1)]
    assert ask("SELECT count(*) FROM published_tables WHERE scope = ''") == [(0,)]


def test_an_older_publish_of_members_changes_nothing(
    section: PostgresSection, ask: Ask, tmp_path: Path
) -> None:
    publish_members(section, members(tmp_path / "2", factor=1.25, day=2))
    everything = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM main_runs.risk_scores AS t"
    before = ask(everything)
    with pytest.raises(
        RiskflowError, match=r"main_runs.risk_scores holds run .* which is newer than this run"
    ):
        publish_members(section, members(tmp_path / "1", day=1))
    assert ask(everything) == before
    # the same content made earlier is no older run: nothing to write, nothing to refuse
    counts = publish_members(section, members(tmp_path / "3", factor=1.25, day=1)).counts
    assert counts["written"] == counts["removed"] == 0


def test_notes_tables_hold_what_the_warehouse_holds(
    section: PostgresSection, postgres_server: PostgresServer, database: str, ask: Ask, tmp_path: Path
) -> None:
    what = notes(tmp_path)
    receipt = publish_notes(section, what)
    held = tmp_path / "warehouse.duckdb"
    with warehouse.transaction(held) as connection:
        notes_warehouse.load_batch(connection, {name: what[name] for name in NOTES}, "")
        for name in NOTES:  # the run is not told row by row in the same way
            connection.execute(f"CREATE TABLE {name} AS SELECT * EXCLUDE (run_id) FROM notes.{name}")
    rows = {name: same_rows(postgres_server, database, held, name, f"notes.{name}") for name in NOTES}
    assert rows == {"patients": 10, "encounters": 30, "observations": 60, "audit": 60, "quarantine": 3}
    assert receipt.counts == {"rows": 163, "written": 163, "removed": 0, "no_op": 0}
    keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'notes'::regnamespace"
    assert ask(keys) == [(4,)]
    assert publish_notes(section, what).counts["no_op"] == 1


def test_another_batch_of_notes_replaces_the_last_in_the_order_of_its_keys(
    section: PostgresSection, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_notes(section, notes(tmp_path / "1"))
    seen: list[list[tuple[object, ...]]] = []
    totals = postgres_difference.Difference.totals

    def looking(self: postgres_difference.Difference) -> object:
        seen.append(ask("SELECT count(*), count(DISTINCT run_id) FROM notes.observations"))
        return totals(self)

    monkeypatch.setattr(postgres_difference.Difference, "totals", looking)
    counts = publish_notes(section, notes(tmp_path / "2", shift=4, day=2)).counts
    assert seen == [[(60, 1)]] * len(NOTES)  # readers see the old batch until the commit
    assert ask("SELECT count(*) FROM notes.patients") == [(10,)]
    assert counts["removed"] >= 4
    with pytest.raises(RiskflowError, match="newer than this run"):
        publish_notes(section, notes(tmp_path / "3", text="x", day=1))


def test_a_batch_of_notes_that_was_not_gated_or_not_published_is_refused(
    section: PostgresSection, ask: Ask, tmp_path: Path
) -> None:
    what, other = notes(tmp_path), notes(tmp_path / "other", text="other")
    with pytest.raises(RiskflowError, match="has not read these observations"):
        publish_notes(section, what | {"observations": other["observations"]})
    with pytest.raises(RiskflowError, match="these observations are not those that notes_publish has"):
        publish_notes(section, what | {"observations": other["observations"], "gate": other["gate"]})
    assert ask("SELECT count(*) FROM pg_namespace WHERE nspname IN ('notes', 'riskflow')") == [(0,)]


def test_the_table_itself_refuses_a_note_that_is_not_redacted(
    section: PostgresSection, ask: Ask, tmp_path: Path
) -> None:
    publish_notes(section, notes(tmp_path))
    with pytest.raises(psycopg.errors.CheckViolation):
        ask("UPDATE notes.observations SET note_status = NULL")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        ask("DELETE FROM notes.patients")


def test_all_tracks_share_a_database_and_its_registry(
    postgres_server: PostgresServer, database: str, ask: Ask, tmp_path: Path
) -> None:
    evil = {"schema_name": 'a"b', "members_schema": "x'; --", "notes_schema": "select"}
    section = section_of(postgres_server, database, **evil)
    publish_members(section, members(tmp_path / "m"))
    publish_notes(section, notes(tmp_path / "n"))
    assert ask('SELECT track, count(*) FROM "a""b".run_registry GROUP BY 1 ORDER BY 1') == [
        ("members", 1),
        ("notes", 1),
    ]
    schemas = ask(
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)' ORDER BY 1"
    )
    assert [name for (name,) in schemas] == [
        'a"b',
        "select",
        "x'; --_analytics",
        "x'; --_intermediate",
        "x'; --_runs",
    ]
