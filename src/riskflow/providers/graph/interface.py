"""What a graph backend is, and what its answers mean, precisely enough to be equalled in any query language.

The graph
    Nodes are providers (those with an NPI, owners among them), organizations and persons; `excluded` says
    whether an exclusion by NPI is active at the scoring date. An edge (owner)-[:OWNS]->(owned) has an integer
    `share_bps`, hundredths of a percent, 0..10,000; there is at most one edge per ordered pair and none from
    a node to itself. `is_hub` marks owners of too many providers: a walk may end at a hub but not pass it.

Walks
    A walk up of h hops from provider f is f = v0, v1, …, vh where each v(i) owns v(i-1), 1 ≤ h ≤ hops,
    no v1 … v(h-1) is a hub, and no v1 … vh is f. A walk down is the same along edges from owner to owned: u0, …, um,
    where no u0 … u(m-1) is a hub, 1 ≤ m ≤ hops. Cycles need no other care: every feature takes a minimum,
    a maximum or a set over walks, which a walk around a cycle cannot change.

Features of f (integers throughout, so that backends agree to the last bit)
    owner_excluded          some v1 is excluded.
    chain_excluded          some vh with h ≥ 2 is excluded and is no v1, or chain_excluded_providers > 0.
    ownership_risk          share(walk) starts at 1,000,000 and becomes floor(share · share_bps / 10,000) at each
                            hop from f upwards. contribution(walk) = floor(share · decay_millionths[h] / 1,000,000).
                            Each excluded owner counts once, with its largest contribution; the sum is cut at
                            1,000,000 and divided by 10,000.
    chain_providers         number of providers g ≠ f at the end of a walk down from any non-hub owner at the end of
                            a walk up from f. Without owners: 0.
    chain_excluded_providers  the excluded ones among them.
    nearest_exclusion_hops  smallest h of a walk up that ends in an excluded owner; null when there is none.
    nearest_exclusion_path  labels of that walk, f first. Of several walks of that length, the one whose node ids,
                            read from the far end back to f, come first in order of Unicode code points.
A provider that the graph does not hold has no owners: false, 0 and null. The rows come sorted by npi, one per
different NPI asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import polars as pl

from riskflow.config.providers import GraphSection
from riskflow.errors import RiskflowError
from riskflow.providers.arithmetic import quotient

MILLION = 1_000_000


@dataclass(frozen=True)
class Graph:
    """Nodes and edges (contracts NODES and EDGES), and the sha256 of both."""

    nodes: pl.DataFrame
    edges: pl.DataFrame
    content_hash: str


@dataclass(frozen=True)
class Reach:
    """How far features look: hops, and what a hop counts, in millionths per number of hops (1-based)."""

    hops: int
    decay_millionths: tuple[int, ...]

    @classmethod
    def of(cls, config: GraphSection) -> Reach:
        """Return the reach that the config asks for: decay^(h-1), rounded to millionths."""
        decay = tuple(round(config.decay**hop * MILLION) for hop in range(config.hops))
        return cls(config.hops, decay)


class GraphBackend(Protocol):
    """A place that holds one graph and answers for providers."""

    def load(self, graph: Graph) -> None:
        """Make the backend hold this graph and nothing else; loading it again changes nothing."""

    def content_hash(self) -> str:
        """Return the hash of the graph that is loaded; a RiskflowError when there is none."""

    def features(self, npis: pl.Series, reach: Reach) -> pl.DataFrame:
        """Return one row per NPI (contract FEATURES). An error is raised, never answered with zeros."""


def assert_hash(found: str, expected: str) -> None:
    """Raise when a shard meets another graph than the one it was planned for."""
    if found != expected:
        raise RiskflowError(
            f"the graph that is loaded has hash {found[:12]}…, this run was planned for {expected[:12]}…",
            "another run has loaded its graph since: run the graph stages again, one run at a time",
        )


def feature_rows(found: pl.DataFrame, graph_hash: str) -> pl.DataFrame:
    """Return the FEATURES of what a backend found: one row per NPI asked for, nulls where the graph holds nothing.

    `found`: npi, excluded, owner_excluded, far_excluded (an excluded owner at two hops or more that is no
    direct one), risk (millionths), chain_providers, chain_excluded_providers, nearest_exclusion_hops and _path.
    """
    chain = pl.col("chain_excluded_providers").fill_null(0)
    return found.select(
        "npi",
        pl.lit(graph_hash).alias("graph_hash"),
        pl.col("excluded").fill_null(False).alias("own_exclusion_active"),
        pl.col("owner_excluded").fill_null(False),
        (pl.col("far_excluded").fill_null(False) | (chain > 0)).alias("chain_excluded"),
        quotient(pl.col("risk").fill_null(0), pl.lit(10_000.0)).round(4).alias("ownership_risk"),
        pl.col("chain_providers").fill_null(0),
        chain.alias("chain_excluded_providers"),
        "nearest_exclusion_hops",
        "nearest_exclusion_path",
    ).sort("npi")
