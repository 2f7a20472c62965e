"""How fast Neo4j loads an ownership graph and answers about its providers, next to the embedded backend.

    python -m benchmarks.neo4j_graph [providers]

Starts a Neo4j of its own. Writes benchmarks/out/neo4j_graph.json.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks.measure import write_result
from riskflow.providers.graph.embedded import EmbeddedGraph
from riskflow.providers.graph.neo4j import Neo4jGraph
from tests.services.neo4j_server import Neo4jServer
from tests.services.ownership import ownership
from tests.unit.providers.graph_conformance import REACH

Answer = TypeVar("Answer")


def timed(work: Callable[[], Answer]) -> tuple[float, Answer]:
    """Return how long it takes, and what it returns."""
    began = time.perf_counter()
    answer = work()
    return round(time.perf_counter() - began, 2), answer


def main(providers: int = 100_000) -> None:
    """Measure and write the results."""
    held, changed = ownership(providers), ownership(providers + 1_000)
    npis = held.nodes["npi"].drop_nulls()
    embedded, server = EmbeddedGraph(), Neo4jServer()
    try:
        result: dict[str, float] = {"providers": providers, "edges": held.edges.height}
        result["server_start_seconds"], _ = timed(server.start)
        with Neo4jGraph(server.section()) as backend:
            result["load_seconds"], _ = timed(lambda: backend.load(held))
            result["load_again_seconds"], _ = timed(lambda: backend.load(held))
            result["features_seconds"], found = timed(lambda: backend.features(npis, REACH))
            result["load_difference_seconds"], _ = timed(lambda: backend.load(changed))
        embedded.load(held)
        result["embedded_features_seconds"], expected = timed(lambda: embedded.features(npis, REACH))
    finally:
        server.stop()
    result["npis_per_second"] = round(npis.len() / result["features_seconds"])
    result["equal_to_embedded"] = int(found.equals(expected))
    write_result("neo4j_graph", result)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
