"""The Neo4j backend keeps the interface's definition, on a real server."""

import datetime as dt
from collections.abc import Iterator

import neo4j
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskflow.errors import RiskflowError
from riskflow.providers.graph.build import content_hash
from riskflow.providers.graph.embedded import EmbeddedGraph
from riskflow.providers.graph.interface import MILLION, Graph, Reach
from riskflow.providers.graph.neo4j import Neo4jGraph
from tests.services.neo4j_server import Neo4jServer
from tests.unit.providers.graph_conformance import NPI, REACH, GraphConformance, ask, graph, graphs

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("neo4j")]


@pytest.fixture(scope="module")
def connected(neo4j_server: Neo4jServer) -> Iterator[Neo4jGraph]:
    with Neo4jGraph(neo4j_server.section(batch=2)) as backend:
        yield backend


class TestNeo4j(GraphConformance):
    @pytest.fixture(autouse=True)
    def _connect(self, connected: Neo4jGraph) -> None:
        self._backend = connected

    def backend(self) -> Neo4jGraph:
        return self._backend

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(graphs(), st.integers(1, 4))
    def test_any_graph_equals_the_definition(self, held: Graph, hops: int) -> None:
        self.check_any_graph(held, hops)
