"""Names and values are only that, rights are the least, passwords stay inside: on a real PostgreSQL."""

import json
import traceback
from pathlib import Path

import polars as pl
import psycopg
import pytest

from riskflow.config.publish import PostgresSection
from riskflow.errors import RiskflowError
from tests.paths import REPOSITORY
from tests.services.postgres_server import PostgresServer
from tests.services.published import scores, written
from tests.services.publishing import ROWS, Ask, publish, section_of

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("postgres")]


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
