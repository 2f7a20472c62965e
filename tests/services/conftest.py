"""One server of each kind per test process."""

import time
from collections.abc import Callable, Iterator

import pytest

from riskflow.config.publish import PostgresSection
from tests.services.neo4j_server import Neo4jServer
from tests.services.postgres_server import PostgresServer
from tests.services.publishing import section_of


@pytest.fixture(scope="session")
def neo4j_server() -> Iterator[Neo4jServer]:
    server = Neo4jServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


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
