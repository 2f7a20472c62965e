"""Publishing scores into a database of the test's own."""

from collections.abc import Callable

from riskflow.config.providers import DeltaSection, ScoringSection
from riskflow.config.publish import PostgresSection
from riskflow.providers.publish import postgres as publisher
from riskflow.providers.publish.postgres import PublishToPostgresStage
from riskflow.receipts import Receipt
from tests.services.postgres_server import PostgresServer

ROWS = 500


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
