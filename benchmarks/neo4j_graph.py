"""How fast Neo4j loads an ownership graph and answers about its providers, next to the embedded backend.

    python -m benchmarks.neo4j_graph [providers]

Starts a Neo4j of its own. Writes benchmarks/out/neo4j_graph.json.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from benchmarks.measure import write_result
from riskflow.providers.graph.embedded import EmbeddedGraph
from riskflow.providers.graph.neo4j import Neo4jGraph
from tests.services.neo4j_server import Neo4jServer
from tests.services.ownership import ownership
from tests.unit.providers.graph_conformance import REACH


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes."""
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 2)


def main(providers: int = 200_000) -> None:
    """Measure and write the results."""
    held, changed = ownership(providers), ownership(providers + 1_000)
    npis = held.nodes["npi"].drop_nulls()
    embedded, server = EmbeddedGraph(), Neo4jServer()
    try:
        result: dict[str, float] = {"providers": providers, "edges": held.edges.height}
        result["server_start_seconds"] = seconds(server.start)
        with Neo4jGraph(server.section()) as backend:
            result["load_seconds"] = seconds(lambda: backend.load(held))
            result["load_again_seconds"] = seconds(lambda: backend.load(held))
            result["features_seconds"] = seconds(lambda: backend.features(npis, REACH))
            result["npis_per_second"] = round(npis.len() / result["features_seconds"])
            result["load_difference_seconds"] = seconds(lambda: backend.load(changed))
            backend.load(held)
            embedded.load(held)
            result["embedded_features_seconds"] = seconds(lambda: embedded.features(npis, REACH))
            equal = backend.features(npis, REACH).equals(embedded.features(npis, REACH))
            result["equal_to_embedded"] = int(equal)
    finally:
        server.stop()
    write_result("neo4j_graph", result)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
