"""Building the graph: exact keys, dates in force, roles, shares, hubs; the hash is of the content only."""

import datetime as dt

import polars as pl

from riskflow.config.providers import GraphSection
from riskflow.contracts.providers_sources import EDGES, NODES, OWNERSHIP
from riskflow.providers.graph.build import build_graph, registered_names
from riskflow.providers.graph.interface import Graph

A, B, C = 1_000_000_001, 1_000_000_002, 1_000_000_003
AS_OF = dt.date(2024, 12, 31)
NO_NAMES = pl.DataFrame(schema={"npi": pl.Int64, "label": pl.String})


def ownership(*rows: dict[str, object]) -> pl.DataFrame:
    base: dict[str, object] = {
        "owner_id": "O1",
        "owner_kind": "organization",
        "owner_name": "Acme",
        "owned_id": f"npi:{A}",
        "owned_npi": A,
        "role": "OWNER",
        "pct": 50.0,
        "flags": "",
    }
    frame = pl.DataFrame(
        [dict.fromkeys(OWNERSHIP.columns) | base | row for row in rows], schema=OWNERSHIP.schema
    )
    return OWNERSHIP.validate(frame)


def active(*npis: int) -> pl.DataFrame:
    rows = [(npi, f"X{npi}", dt.date(2020, 1, 1)) for npi in npis]
    schema = {"npi": pl.Int64, "exclusion_id": pl.String, "excl_date": pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row")


def built(rows: pl.DataFrame, excluded: pl.DataFrame | None = None, **settings: object) -> Graph:
    graph = build_graph(
        rows,
        active() if excluded is None else excluded,
        NO_NAMES,
        GraphSection.model_validate(settings),
        AS_OF,
    )
    NODES.validate(graph.nodes)
    EDGES.validate(graph.edges)
    return graph


def test_associations_not_yet_in_force_are_left_out_and_undated_ones_count() -> None:
    late, undated = {"owner_id": "O2", "since": dt.date(2025, 1, 1)}, {"owner_id": "O3", "since": None}
    assert built(ownership(late, undated, {"since": AS_OF})).edges["owner_id"].to_list() == ["O1", "O3"]


def test_roles_that_are_not_asked_for_are_left_out() -> None:
    rows = ownership(
        {"role": "5% OR GREATER DIRECT OWNERSHIP"}, {"owner_id": "O2", "role": "MORTGAGE INTEREST"}
    )
    assert built(rows, roles=["ownership"]).edges["owner_id"].to_list() == ["O1"]
    assert built(rows).edges.height == 2


def test_missing_percentage_counts_the_default_and_a_stated_zero_is_zero() -> None:
    rows = ownership({"pct": None}, {"owner_id": "O2", "pct": 0.0}, {"owner_id": "O3", "pct": 14.15})
    assert built(rows).edges["share_bps"].to_list() == [500, 0, 1_415]
    assert built(rows, minimum_pct=1.0, default_pct=0.5).edges["owner_id"].to_list() == ["O3"]


def test_of_parallel_roles_the_largest_share_counts() -> None:
    rows = ownership({"pct": 5.0, "role": "B"}, {"pct": 60.0, "role": "Z"}, {"pct": 60.0, "role": "C"})
    assert built(rows).edges.select("share_bps", "role").rows() == [(6_000, "C")]


def test_owner_with_an_npi_is_that_provider_everywhere() -> None:
    rows = ownership(
        {"owner_id": "I1", "owner_kind": "person", "owner_npi": B, "owned_id": "O1", "owned_npi": None},
        {"owner_id": "I1", "owner_kind": "person", "owner_npi": None},
        {"owner_id": "O9", "owned_id": "I1", "owned_npi": None},
    )
    graph = built(rows, active(B))
    assert graph.edges.select("owner_id", "owned_id").rows() == [
        ("O9", f"npi:{B}"),
        (f"npi:{B}", "O1"),
        (f"npi:{B}", f"npi:{A}"),
    ]
    assert graph.nodes.filter("excluded")["node_id"].to_list() == [f"npi:{B}"]


def test_excluded_provider_without_owners_is_a_node() -> None:
    assert built(ownership({}), active(C)).nodes["node_id"].to_list() == ["O1", f"npi:{A}", f"npi:{C}"]


def test_an_owner_of_itself_is_no_edge() -> None:
    assert built(ownership({"owner_npi": A})).edges.height == 0


def test_hub_owns_more_providers_than_the_cap() -> None:
    rows = ownership({}, {"owned_id": f"npi:{B}", "owned_npi": B}, {"owned_id": "O2", "owned_npi": None})
    assert built(rows, hub_cap=1).nodes.filter("is_hub")["node_id"].to_list() == ["O1"]
    assert not built(rows, hub_cap=2).nodes["is_hub"].any()


def test_hash_is_of_content_not_of_row_order() -> None:
    rows = ownership({}, {"owner_id": "O2"}, {"owner_id": "O2", "pct": 1.0, "role": "X"})
    assert built(rows).content_hash == built(rows.reverse()).content_hash
    assert built(rows).content_hash != built(rows, active(A)).content_hash
    assert built(rows).content_hash != built(rows.with_columns(pct=pl.col("pct") / 2)).content_hash


def test_labels_prefer_the_registered_name() -> None:
    rows = ownership({"owned_name": "as owned"}, {"owner_id": "O2", "owner_name": None})
    registry = pl.LazyFrame({"npi": [A, C], "display_name": ["as registered", "elsewhere"]})
    names = registered_names(registry, rows, active())
    graph = build_graph(rows, active(), names, GraphSection(), AS_OF)
    assert dict(graph.nodes.select("node_id", "label").rows()) == {
        "O1": "Acme",
        "O2": "O2",
        f"npi:{A}": "as registered",
    }
