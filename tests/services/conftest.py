"""One server of each kind per test process."""

from collections.abc import Iterator

import pytest

from tests.services.neo4j_server import Neo4jServer
from tests.services.postgres_server import PostgresServer


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
