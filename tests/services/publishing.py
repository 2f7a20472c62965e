"""Publishing scores into a database of the test's own."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from riskflow.config.members_runs import MembersRunsSection
from riskflow.config.providers import DeltaSection, ScoringSection
from riskflow.config.publish import PostgresSection, PostgresStage
from riskflow.members import publish_postgres as members_publisher
from riskflow.members.publish_postgres import MembersPostgresStage
from riskflow.notes import publish_postgres as notes_publisher
from riskflow.providers.publish import postgres as publisher
from riskflow.providers.publish.postgres import PublishToPostgresStage
from riskflow.receipts import Receipt
from tests.services.postgres_server import PostgresServer

ROWS = 500


@contextmanager
def fresh_database(server: PostgresServer, prefix: str) -> Iterator[str]:
    """Make a database for the block and drop it after, whoever is still connected."""
    name = f"{prefix}_{time.monotonic_ns()}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


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


def publish(section: PostgresSection, what: dict[str, object], **delta: object) -> Receipt:
    delta_section = DeltaSection.model_validate(delta)
    config = PublishToPostgresStage(scoring=ScoringSection(), delta=delta_section, postgres=section)
    return publisher.run(**what, config=config)  # type: ignore[arg-type]


Ask = Callable[[str], list[tuple[object, ...]]]
EVERYTHING = "SELECT * FROM provider_risk_scores ORDER BY npi"
WITHOUT_TIME = "SELECT (to_jsonb(t) - 'updated_at')::text FROM provider_risk_scores t ORDER BY npi"


def publish_members(section: PostgresSection, what: Mapping[str, Any]) -> Receipt:
    return members_publisher.run(
        **what, config=MembersPostgresStage(runs=MembersRunsSection(), postgres=section)
    )


def publish_notes(section: PostgresSection, what: Mapping[str, Any]) -> Receipt:
    return notes_publisher.run(**what, config=PostgresStage(postgres=section))
