"""One server of each kind per test process."""

from collections.abc import Callable, Iterator

import pytest

from riskflow.config.publish import PostgresSection
from tests.services.needs import running
from tests.services.neo4j_server import Neo4jServer
from tests.services.postgres_server import PostgresServer
from tests.services.publishing import fresh_database, section_of


@pytest.fixture(scope="session")
def neo4j_server() -> Iterator[Neo4jServer]:
    with running(Neo4jServer()) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[str]:
    with fresh_database(postgres_server, "test") as name:
        yield name


@pytest.fixture
def section(postgres_server: PostgresServer, database: str) -> PostgresSection:
    return section_of(postgres_server, database)


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
