"""The embedded graph backend keeps the interface's definition, on hand-made and on any graphs."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskflow.errors import RiskflowError
from riskflow.providers.graph.embedded import EmbeddedGraph
from riskflow.providers.graph.interface import Graph, GraphBackend, Reach, assert_hash
from tests.unit.providers.graph_conformance import GraphConformance, graph, graphs


class TestEmbedded(GraphConformance):
    def backend(self) -> GraphBackend:
        return EmbeddedGraph()

    @settings(max_examples=80, deadline=None)
    @given(graphs(), st.integers(1, 4))
    def test_any_graph_equals_the_definition(self, held: Graph, hops: int) -> None:
        self.check_any_graph(held, hops)


def test_chains_cut_into_parts_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = [(owner, owned, 5_000) for owner in ("O1", "O2") for owned in "abcdefg"]
    backend, npis = EmbeddedGraph(), pl.Series([1_000_000_000 + place for place in range(7)])
    backend.load(graph(edges, "c"))
    whole = backend.features(npis, Reach(1, (1_000_000,)))
    monkeypatch.setattr("riskflow.providers.graph.embedded.PAIRS_AT_ONCE", 3)
    assert backend.features(npis, Reach(1, (1_000_000,))).equals(whole)
    assert whole["chain_providers"].to_list() == [6] * 7


def test_another_graph_is_refused_with_both_hashes() -> None:
    one, other = graph([("O1", "a", 1)]), graph([("O1", "a", 2)])
    with pytest.raises(RiskflowError) as error:
        assert_hash(one.content_hash, other.content_hash)
    assert one.content_hash[:12] in str(error.value) and other.content_hash[:12] in str(error.value)


def test_features_without_a_graph_are_refused() -> None:
    with pytest.raises(RiskflowError, match="no graph is loaded"):
        EmbeddedGraph().features(pl.Series([1_000_000_000]), Reach(1, (1_000_000,)))


def test_edges_to_unknown_nodes_are_refused() -> None:
    held = graph([("O1", "a", 1), ("O2", "a", 1)])
    with pytest.raises(RiskflowError, match="1 edges of the graph name a node"):
        EmbeddedGraph().load(
            Graph(held.nodes.filter(pl.col("node_id") != "O2"), held.edges, held.content_hash)
        )
