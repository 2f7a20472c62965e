"""The stage that asks Neo4j about the NPIs of one shard."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from riskflow import artifacts, receipts
from riskflow.config.providers import Neo4jFeaturesStage
from riskflow.contracts.providers_sources import FEATURES
from riskflow.contracts.providers_universe import UNIVERSE
from riskflow.providers.graph.interface import Reach, assert_hash
from riskflow.providers.graph.neo4j import Neo4jGraph
from riskflow.receipts import Receipt


def run(*, universe: Path, loaded: Path, output: Path, config: Neo4jFeaturesStage) -> Receipt:
    """Ask about one shard's NPIs the graph that `loaded`, the receipt of the load, says the server holds."""
    npis = artifacts.read(universe, UNIVERSE, ["npi"])["npi"]
    with Neo4jGraph(config.neo4j) as backend:
        assert_hash(backend.content_hash(), receipts.load(loaded).facts["graph_hash"])
        features = backend.features(npis, Reach.of(config.graph))
    artifacts.write(features, output, FEATURES)
    near = features.filter(pl.col("nearest_exclusion_hops").is_not_null()).height
    return Receipt(counts={"npis": features.height, "with_excluded_owner": near})
