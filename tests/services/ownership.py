"""Ownership graphs of any size."""

import datetime as dt

import polars as pl

from riskflow.contracts.providers_sources import EDGES, NODES
from riskflow.providers.graph.build import content_hash
from riskflow.providers.graph.interface import Graph


def ownership(providers: int) -> Graph:
    """Return providers in chains of ten, each chain owned by an organization that a person owns."""
    ids = [f"npi:{1_000_000_000 + place}" for place in range(providers)]
    owners = [f"O{place // 10:05}" for place in range(providers)]
    chains = sorted(set(owners))
    people = [f"P{chain[1:]}" for chain in chains]
    kinds = ["provider"] * providers + ["organization"] * len(chains) + ["person"] * len(people)
    excluded = [place % 3 == 0 for place in range(len(people))]
    nodes = pl.DataFrame(
        {
            "node_id": ids + chains + people,
            "kind": kinds,
            "label": [f"name of {node}" for node in ids + chains + people],
            "npi": [int(node[4:]) for node in ids] + [None] * (2 * len(chains)),
            "excluded": [False] * (providers + len(chains)) + excluded,
            "exclusion_id": [None] * (providers + len(chains))
            + [f"X{name}" if out else None for name, out in zip(people, excluded, strict=True)],
            "is_hub": [False] * len(kinds),
        },
        schema=dict(NODES.schema),
    ).sort("node_id")
    edges = pl.DataFrame(
        {
            "owner_id": owners + people,
            "owned_id": ids + chains,
            "share_bps": [2_500] * providers + [10_000] * len(chains),
            "role": ["OWNER"] * (providers + len(chains)),
            "since": [dt.date(2020, 2, 29)] * providers + [None] * len(chains),
        },
        schema=dict(EDGES.schema),
    ).sort("owner_id", "owned_id")
    return rebuilt(nodes, edges)


def rebuilt(nodes: pl.DataFrame, edges: pl.DataFrame) -> Graph:
    return Graph(nodes, edges, content_hash(nodes, edges))
