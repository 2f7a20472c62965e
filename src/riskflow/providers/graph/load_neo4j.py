"""The stage that loads the ownership graph into Neo4j; its receipt says which graph the server holds."""

from __future__ import annotations

from pathlib import Path

from riskflow import artifacts
from riskflow.config.providers import LoadGraphStage
from riskflow.contracts.providers_sources import EDGES, NODES
from riskflow.providers.graph.build import content_hash
from riskflow.providers.graph.interface import Graph
from riskflow.providers.graph.neo4j import Neo4jGraph
from riskflow.receipts import Receipt


def run(*, nodes: Path, edges: Path, config: LoadGraphStage) -> Receipt:
    """Make the Neo4j server hold this graph: only the difference is written."""
    frames = artifacts.read(nodes, NODES), artifacts.read(edges, EDGES)
    graph = Graph(*frames, content_hash(*frames))
    with Neo4jGraph(config.neo4j) as backend:
        written = backend.load_difference(graph)
    counts = {"nodes": graph.nodes.height, "edges": graph.edges.height}
    return Receipt(counts=counts | written, facts={"graph_hash": graph.content_hash})
