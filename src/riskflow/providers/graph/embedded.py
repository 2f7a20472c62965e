"""The embedded graph backend: walks as joins over whole columns, hop by hop, in polars."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import GraphStage
from riskflow.contracts.providers_sources import EDGES, FEATURES, NODES
from riskflow.contracts.providers_universe import UNIVERSE
from riskflow.errors import RiskflowError
from riskflow.providers.graph.build import content_hash
from riskflow.providers.graph.interface import MILLION, Graph, GraphBackend, Reach, assert_hash, feature_rows
from riskflow.receipts import Receipt

PAIRS_AT_ONCE = 4_000_000
_INDEX = pl.UInt32


class EmbeddedGraph:
    """A GraphBackend in this process. Nodes are numbered in order of their ids, so ties break by id."""

    def __init__(self) -> None:
        self._hash = ""
        self._nodes = pl.DataFrame()
        self._edges = pl.DataFrame()

    def load(self, graph: Graph) -> None:
        """Hold this graph and nothing else."""
        self._nodes = graph.nodes.sort("node_id").with_row_index("node").cast({"node": _INDEX})
        number = self._nodes.select("node_id", "node")
        self._edges = (
            graph.edges.join(number.rename({"node_id": "owner_id", "node": "owner"}), on="owner_id")
            .join(number.rename({"node_id": "owned_id", "node": "owned"}), on="owned_id")
            .select("owner", "owned", "share_bps")
            .sort("owned", "owner")
        )
        if self._edges.height != graph.edges.height:
            raise RiskflowError(
                f"{graph.edges.height - self._edges.height} edges of the graph name a node that it does not hold",
                "build nodes and edges together",
            )
        self._hash = graph.content_hash

    def content_hash(self) -> str:
        """Return the hash of the graph that is loaded."""
        if not self._hash:
            raise RiskflowError("no graph is loaded", "load one before asking for features")
        return self._hash

    def features(self, npis: pl.Series, reach: Reach) -> pl.DataFrame:
        """Return one row per different NPI (contract FEATURES), as the interface defines them."""
        graph_hash = self.content_hash()
        asked = pl.DataFrame({"npi": npis.cast(pl.Int64)}).unique().sort("npi")
        starts = self._nodes.join(asked, on="npi", how="semi").select(
            "npi", pl.col("node").alias("start"), "excluded"
        )
        levels = self._walk_up(starts["start"], reach.hops)
        walks = pl.concat([level.with_columns(hops=pl.lit(h, pl.Int64)) for h, level in enumerate(levels, 1)])
        owners = self._excluded_owners(walks, reach)
        parts = [owners, self._chains(walks, reach.hops), self._paths(owners, levels)]
        found = starts
        for part in parts:
            found = found.join(part, on="start", how="left")
        return feature_rows(asked.join(found, on="npi", how="left"), graph_hash)

    def _walk_up(self, starts: pl.Series, hops: int) -> list[pl.DataFrame]:
        """Return, per number of hops, start, node and the largest share (millionths) over walks of that length."""
        here = pl.DataFrame({"start": starts, "node": starts}).with_columns(share=pl.lit(MILLION, pl.Int64))
        levels = []
        for hop in range(hops):
            passable = self._past_hubs(here) if hop else here
            here = (
                passable.join(self._edges, left_on="node", right_on="owned")
                .filter(pl.col("owner") != pl.col("start"))
                .with_columns(share=pl.col("share") * pl.col("share_bps") // 10_000)
                .group_by("start", pl.col("owner").alias("node"))
                .agg(pl.col("share").max())
            )
            levels.append(here)
        return levels

    def _past_hubs(self, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.join(self._nodes.filter("is_hub").select("node"), on="node", how="anti")

    def _excluded_owners(self, walks: pl.DataFrame, reach: Reach) -> pl.DataFrame:
        """Return per start: owner_excluded, far_excluded, risk (millionths), hops and node of the nearest."""
        decay = pl.col("hops").replace_strict(
            dict(enumerate(reach.decay_millionths, 1)), return_dtype=pl.Int64
        )
        owners = (
            walks.join(self._nodes.filter("excluded").select("node"), on="node", how="semi")
            .with_columns(contribution=pl.col("share") * decay // MILLION)
            .group_by("start", "node")
            .agg(pl.col("contribution").max(), pl.col("hops").min())
        )
        nearest = pl.col("hops") == pl.col("hops").min()
        return owners.group_by("start").agg(
            (pl.col("hops") == 1).any().alias("owner_excluded"),
            (pl.col("hops") > 1).any().alias("far_excluded"),
            pl.col("contribution").sum().clip(upper_bound=MILLION).alias("risk"),
            pl.col("hops").min().alias("nearest_exclusion_hops"),
            pl.col("node").filter(nearest).min().alias("nearest"),
        )

    def _chains(self, walks: pl.DataFrame, hops: int) -> pl.DataFrame:
        """Return per start how many other providers, and excluded ones, its non-hub owners own."""
        owners = self._past_hubs(walks.select("start", "node").unique())
        owned = self._owned_providers(owners["node"].unique(), hops)
        parts = [
            part.join(owned, on="node")
            .filter(pl.col("provider") != pl.col("start"))
            .unique(["start", "provider"])
            .group_by("start")
            .agg(
                pl.len().cast(pl.Int64).alias("chain_providers"),
                pl.col("provider_excluded").sum().cast(pl.Int64).alias("chain_excluded_providers"),
            )
            for part in _slices(owners, owned)
        ]
        empty = pl.DataFrame(
            schema={"start": _INDEX, "chain_providers": pl.Int64, "chain_excluded_providers": pl.Int64}
        )
        return pl.concat([empty, *parts])

    def _owned_providers(self, owners: pl.Series, hops: int) -> pl.DataFrame:
        """Return node, provider, provider_excluded: whom each owner reaches downward, not past hubs."""
        here = pl.DataFrame({"node": owners, "at": owners}, schema={"node": _INDEX, "at": _INDEX})
        seen = [here.clear()]
        for _ in range(hops):
            passable = self._past_hubs(here.rename({"node": "top", "at": "node"}))
            here = (
                passable.join(self._edges, left_on="node", right_on="owner")
                .select(pl.col("top").alias("node"), pl.col("owned").alias("at"))
                .unique()
            )
            seen.append(here)
        providers = self._nodes.filter(pl.col("npi").is_not_null())
        return (
            pl.concat(seen)
            .unique()
            .join(providers.select("node", "excluded"), left_on="at", right_on="node")
            .select("node", pl.col("at").alias("provider"), pl.col("excluded").alias("provider_excluded"))
        )

    def _paths(self, owners: pl.DataFrame, levels: list[pl.DataFrame]) -> pl.DataFrame:
        """Return start, path: labels from the start up to its nearest excluded owner.

        Read back from the far end: at each step the smallest node that the one above owns and that the start
        reaches in one hop less, without passing a hub.
        """
        labels = self._nodes.select("node", "label")
        empty = pl.DataFrame(schema={"start": _INDEX, "nearest_exclusion_path": pl.List(pl.String)})
        paths = [empty]
        for hops in range(1, len(levels) + 1):
            path = owners.filter(pl.col("nearest_exclusion_hops") == hops).select(
                "start", pl.col("nearest").alias(f"v{hops}")
            )
            for step in range(hops - 1, 0, -1):
                below = self._past_hubs(levels[step - 1].select("start", "node"))
                path = (
                    path.join(self._edges, left_on=f"v{step + 1}", right_on="owner")
                    .join(below, left_on=["start", "owned"], right_on=["start", "node"], how="semi")
                    .group_by(path.columns)
                    .agg(pl.col("owned").min().alias(f"v{step}"))
                )
            path = path.with_columns(v0=pl.col("start"))
            for step in range(hops + 1):
                path = path.join(labels, left_on=f"v{step}", right_on="node").rename(
                    {"label": f"label{step}"}
                )
            named = pl.concat_list([f"label{step}" for step in range(hops + 1)])
            paths.append(path.select("start", named.alias("nearest_exclusion_path")))
        return pl.concat(paths)


def _slices(owners: pl.DataFrame, owned: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cut (start, node) rows so that joining one part with `owned` stays small; a start is never cut in two."""
    sizes = owned.group_by("node").agg(pl.len().alias("size"))
    sized = owners.join(sizes, on="node", how="left").sort("start")
    totals = sized.group_by("start", maintain_order=True).agg(pl.col("size").sum())
    part = totals.select("start", (pl.col("size").cum_sum() // PAIRS_AT_ONCE).alias("part"))
    for piece in sized.join(part, on="start").partition_by("part", maintain_order=True, include_key=False):
        yield piece.select("start", "node")


def loaded(nodes: Path, edges: Path, expected: str = "") -> GraphBackend:
    """Return an embedded backend that holds the graph of two artifacts; `expected` is its hash, if known."""
    frames = artifacts.read(nodes, NODES), artifacts.read(edges, EDGES)
    found = content_hash(*frames)
    if expected:
        assert_hash(found, expected)
    backend = EmbeddedGraph()
    backend.load(Graph(*frames, found))
    return backend


def run(*, universe: Path, nodes: Path, edges: Path, output: Path, config: GraphStage) -> Receipt:
    """Ask the graph about the NPIs of one shard."""
    npis = artifacts.read(universe, UNIVERSE, ["npi"])["npi"]
    features = loaded(nodes, edges).features(npis, Reach.of(config.graph))
    artifacts.write(features, output, FEATURES)
    near = features.filter(pl.col("nearest_exclusion_hops").is_not_null()).height
    return Receipt(counts={"npis": features.height, "with_excluded_owner": near})
