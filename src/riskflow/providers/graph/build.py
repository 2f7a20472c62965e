"""Building the graph's tables from ownership rows and active exclusions, by exact keys only."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import GraphSection, GraphStage
from riskflow.contracts.providers_sources import EDGES, EXCLUSIONS, NODES, OWNERSHIP, REGISTRY
from riskflow.providers.exclusions import newest_active
from riskflow.providers.graph.interface import Graph
from riskflow.receipts import Receipt


def build_graph(
    ownership: pl.DataFrame,
    active: pl.DataFrame,
    names: pl.DataFrame,
    settings: GraphSection,
    as_of: dt.date,
) -> Graph:
    """Return the graph of the associations in force at `as_of`.

    `ownership` as its contract; `active`: npi, exclusion_id, one row per excluded NPI; `names`: npi, label.
    An owner with an NPI is the provider of that NPI. Associations without a date are in force; without a
    percentage they count `default_pct`; those below `minimum_pct` or with a role that is not asked for are
    left out. Of several roles of one pair, the one with the largest share counts (of equal ones, the first
    in order of role, then date).
    """
    known = _owner_nodes(ownership)
    edges = _edges(ownership, known, settings, as_of)
    nodes = _nodes(edges, ownership, known, active, names, settings.hub_cap)
    return Graph(nodes, edges, content_hash(nodes, edges))


def content_hash(nodes: pl.DataFrame, edges: pl.DataFrame) -> str:
    """Return the sha256 over all nodes and edges in order of their keys; row order does not matter."""
    digest = hashlib.sha256()
    for frame, contract in ((nodes, NODES), (edges, EDGES)):
        ordered = frame.select(list(contract.columns)).sort(contract.key)
        digest.update((ordered.write_csv() or "").encode() + b"\x00")
    return digest.hexdigest()


def _owner_nodes(ownership: pl.DataFrame) -> pl.DataFrame:
    """Return owner_id, node_id, npi, kind: an owner whose NPI is listed anywhere is that provider."""
    owners = ownership.group_by("owner_id").agg(
        pl.col("owner_npi").min().alias("npi"), pl.col("owner_kind").min()
    )
    by_npi = pl.concat_str(pl.lit("npi:"), pl.col("npi").cast(pl.String))
    return owners.select(
        "owner_id",
        pl.coalesce(by_npi, "owner_id").alias("node_id"),
        "npi",
        pl.col("owner_kind").alias("kind"),
    )


def _edges(
    ownership: pl.DataFrame, known: pl.DataFrame, settings: GraphSection, as_of: dt.date
) -> pl.DataFrame:
    share = (pl.col("pct").fill_null(settings.default_pct) * 100).round().cast(pl.Int64)
    in_force = pl.col("since").is_null() | (pl.col("since") <= as_of)
    nodes = known.select("owner_id", "node_id")
    return (
        ownership.filter(in_force, _role_counts(settings.roles))
        .with_columns(share_bps=share)
        .filter(pl.col("share_bps") >= round(settings.minimum_pct * 100))
        .join(nodes, on="owner_id", how="left")
        .join(nodes.rename({"owner_id": "owned_id", "node_id": "owned_node"}), on="owned_id", how="left")
        .select(
            pl.col("node_id").alias("owner_id"),
            pl.coalesce("owned_node", "owned_id").alias("owned_id"),
            "share_bps",
            "role",
            "since",
        )
        .filter(pl.col("owner_id") != pl.col("owned_id"))
        .sort("owner_id", "owned_id", -pl.col("share_bps"), "role", "since", nulls_last=False)
        .unique(["owner_id", "owned_id"], keep="first", maintain_order=True)
    )


def _role_counts(roles: list[str]) -> pl.Expr:
    if not roles:
        return pl.lit(True)
    lower = pl.col("role").str.to_lowercase()
    return pl.any_horizontal([lower.str.contains(role.lower(), literal=True) for role in roles])


def _nodes(
    edges: pl.DataFrame,
    ownership: pl.DataFrame,
    known: pl.DataFrame,
    active: pl.DataFrame,
    names: pl.DataFrame,
    hub_cap: int,
) -> pl.DataFrame:
    excluded = pl.concat_str(pl.lit("npi:"), pl.col("npi").cast(pl.String))
    ids = pl.concat([edges["owner_id"], edges["owned_id"], active.select(excluded).to_series()]).unique()
    kinds = known.select("node_id", "kind").group_by("node_id").agg(pl.col("kind").min())
    npi = pl.col("node_id").str.strip_prefix("npi:").cast(pl.Int64, strict=False)
    nodes = (
        pl.DataFrame({"node_id": ids})
        .with_columns(npi=pl.when(pl.col("node_id").str.starts_with("npi:")).then(npi))
        .join(kinds, on="node_id", how="left")
        .join(_labels(ownership, known), on="node_id", how="left")
        .join(names.select("npi", pl.col("label").alias("registered")), on="npi", how="left")
        .join(active.select("npi", "exclusion_id"), on="npi", how="left")
        .join(_hubs(edges, hub_cap), on="node_id", how="left")
    )
    is_provider = pl.col("npi").is_not_null()
    return nodes.select(
        "node_id",
        pl.when(is_provider)
        .then(pl.lit("provider"))
        .otherwise(pl.col("kind").fill_null("organization"))
        .alias("kind"),
        pl.coalesce("registered", "label", "node_id").alias("label"),
        "npi",
        pl.col("exclusion_id").is_not_null().alias("excluded"),
        "exclusion_id",
        pl.col("is_hub").fill_null(False),
    ).sort("node_id")


def _labels(ownership: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return node_id, label: the first name in order of the alphabet, as owner or as owned."""
    as_owner = ownership.join(known, on="owner_id").select("node_id", pl.col("owner_name").alias("label"))
    as_owned = ownership.select(pl.col("owned_id").alias("node_id"), pl.col("owned_name").alias("label"))
    return pl.concat([as_owner, as_owned]).drop_nulls().group_by("node_id").agg(pl.col("label").min())


def _hubs(edges: pl.DataFrame, hub_cap: int) -> pl.DataFrame:
    provider = pl.col("owned_id").str.starts_with("npi:")
    return edges.group_by(pl.col("owner_id").alias("node_id")).agg((provider.sum() > hub_cap).alias("is_hub"))


def run(
    *, ownership: Path, exclusions: Path, registry: Path, nodes: Path, edges: Path, config: GraphStage
) -> Receipt:
    """Build the ownership graph: its nodes and its edges."""
    active = newest_active(
        artifacts.read(exclusions, EXCLUSIONS), config.scoring.date, config.exclusions.waivers_count
    )
    owned = artifacts.read(ownership, OWNERSHIP)
    names = registered_names(artifacts.scan(registry, REGISTRY), owned, active)
    graph = build_graph(owned, active, names, config.graph, config.scoring.date)
    artifacts.write(graph.nodes, nodes, NODES)
    artifacts.write(graph.edges, edges, EDGES)
    counts = {"ownership_rows": owned.height, "nodes": graph.nodes.height, "edges": graph.edges.height}
    counts |= {"excluded_nodes": int(graph.nodes["excluded"].sum()), "hubs": int(graph.nodes["is_hub"].sum())}
    return Receipt(counts=counts, facts={"graph_hash": graph.content_hash})


def registered_names(registry: pl.LazyFrame, ownership: pl.DataFrame, active: pl.DataFrame) -> pl.DataFrame:
    """Return npi, label of the registered providers that the graph may hold."""
    asked = pl.concat([ownership["owner_npi"], ownership["owned_npi"], active["npi"]]).drop_nulls().unique()
    wanted = registry.join(pl.LazyFrame({"npi": asked}), on="npi", how="semi")
    return wanted.select("npi", pl.col("display_name").alias("label")).drop_nulls().collect()
