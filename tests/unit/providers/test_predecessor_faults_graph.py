"""The predecessor's faults in graph, exclusions and universe, one by one: none may come back.

Numbers are those of the list of twelve in docs; those of the scoring mathematics have their own module.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from riskflow import artifacts
from riskflow.config.providers import ExclusionsSection, GraphSection, GraphStage, ScoringSection, TableSource
from riskflow.contracts.providers_sources import EDGES, NODES, REGISTRY
from riskflow.contracts.providers_universe import UNIVERSE
from riskflow.errors import RiskflowError
from riskflow.providers import ingest
from riskflow.providers.exclusions import exclusion_facts, newest_active
from riskflow.providers.graph import embedded
from riskflow.providers.graph.interface import Graph, Reach
from riskflow.providers.matching import match, targets
from riskflow.providers.universe import universe
from tests.unit.providers.test_exclusions import exclusions, payments
from tests.unit.providers.test_graph_build import A, B, active, built, ownership

AS_OF = dt.date(2024, 12, 31)
CONFIG = GraphStage(scoring=ScoringSection(), exclusions=ExclusionsSection(), graph=GraphSection())


def features(graph: Graph, *npis: int) -> list[dict[str, object]]:
    backend = embedded.EmbeddedGraph()
    backend.load(graph)
    return backend.features(pl.Series(npis, dtype=pl.Int64), Reach.of(GraphSection())).to_dicts()


def shard_of(*npis: int) -> pl.DataFrame:
    row = {
        "taxonomy": None,
        "npi_luhn_ok": True,
        "in_registry": False,
        "has_payments": True,
        "in_exclusions": False,
        "is_owned": True,
    }
    return pl.DataFrame(
        [dict.fromkeys(UNIVERSE.columns) | row | {"npi": npi} for npi in npis], schema=UNIVERSE.schema
    )


def test_fault_05_a_graph_error_fails_the_shard_and_writes_nothing(tmp_path: Path) -> None:
    graph = built(ownership({"owner_id": "O1"}, {"owner_id": "O2"}))
    artifacts.write(shard_of(A), tmp_path / "universe.parquet", UNIVERSE)
    artifacts.write(graph.nodes.filter(pl.col("node_id") != "O2"), tmp_path / "nodes.parquet", NODES)
    artifacts.write(graph.edges, tmp_path / "edges.parquet", EDGES)
    paths = {name: tmp_path / f"{name}.parquet" for name in ("universe", "nodes", "edges")}
    with pytest.raises(RiskflowError, match="name a node that it does not hold"):
        embedded.run(**paths, output=tmp_path / "features.parquet", config=CONFIG)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "edges.parquet",
        "nodes.parquet",
        "universe.parquet",
    ]
    with pytest.raises(RiskflowError, match="was planned for"):
        embedded.loaded(paths["nodes"], paths["edges"], expected=graph.content_hash)


def test_fault_06_names_that_contain_each_other_link_nothing() -> None:
    owners = ownership({"owner_name": "ACME HOLDINGS OF TEXAS", "owner_state": "TX"})
    listed = exclusions({"npi": None, "name": "ACME HOLDINGS", "state": "TX"})
    assert newest_active(listed, AS_OF).height == 0
    assert (
        match(
            listed,
            targets(
                pl.LazyFrame(schema={"npi": pl.Int64, "display_name": pl.String, "state": pl.String}), owners
            ),
        ).height
        == 0
    )


def test_fault_06_even_an_equal_name_is_a_candidate_and_never_scored() -> None:
    owners = ownership({"owner_name": "Acme Holdings", "owner_state": "TX"})
    listed = exclusions({"npi": None, "name": "ACME HOLDINGS", "state": "TX"})
    nobody = pl.LazyFrame(schema={"npi": pl.Int64, "display_name": pl.String, "state": pl.String})
    assert match(listed, targets(nobody, owners)).select("target_id", "tier", "scored").rows() == [
        ("O1", "C", False)
    ]
    (row,) = features(built(owners, newest_active(listed, AS_OF)), A)
    assert not row["owner_excluded"] and row["ownership_risk"] == 0


def test_fault_07_an_excluded_direct_owner_is_seen_organization_or_person() -> None:
    for kind in ("organization", "person"):
        (row,) = features(built(ownership({"owner_kind": kind, "owner_npi": B}), active(B)), A)
        assert row["owner_excluded"] and row["ownership_risk"] == 50


def test_fault_07_persons_who_own_through_organizations_are_reached_by_share_and_distance() -> None:
    person = {"owner_id": "I1", "owner_kind": "person", "owner_npi": B, "owned_id": "O1", "owned_npi": None}
    (row,) = features(built(ownership({}, person | {"pct": 40.0}), active(B)), A)
    assert (row["chain_excluded"], row["nearest_exclusion_hops"], row["ownership_risk"]) == (True, 2, 10.0)


def test_fault_07_a_hub_does_not_make_strangers_a_chain() -> None:
    rows = ownership(*[{"owned_id": f"npi:{A + n}", "owned_npi": A + n} for n in range(30)])
    hub, chain = built(rows, active(A + 1), hub_cap=20), built(rows, active(A + 1), hub_cap=30)
    assert [row["chain_excluded_providers"] for row in features(hub, A) + features(chain, A)] == [0, 1]


def test_fault_07_roles_that_are_no_ownership_can_be_left_out() -> None:
    rows = ownership({"owner_npi": B, "role": "5% OR GREATER MORTGAGE INTEREST"})
    (row,) = features(built(rows, active(B), roles=["ownership", "partnership", "control"]), A)
    assert not row["owner_excluded"]


def test_fault_08_loading_the_list_twice_changes_nothing(tmp_path: Path) -> None:
    listed = "npi,name,excl_date\n1000000001,DOE,20200101\n0000000000,ROE,20200101\n"
    for name in ("january.csv", "february.csv"):
        (tmp_path / name).write_text(listed)
    table = TableSource(date_format="%Y%m%d")
    once = ingest.ingest([tmp_path / "january.csv"], table, "exclusions")
    twice = ingest.ingest([tmp_path / "february.csv", tmp_path / "january.csv"], table, "exclusions")
    assert twice.kept.equals(once.kept) and twice.kept.height == 2
    assert twice.quarantined["rule_id"].to_list() == ["exclusions.repeated_row"] * 2


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ({}, True),
        ({"rein_date": dt.date(2024, 1, 1)}, False),
        ({"rein_date": dt.date(2025, 1, 1)}, True),
        ({"waived": True, "waiver_date": dt.date(2024, 1, 1)}, False),
        ({"excl_date": dt.date(2025, 1, 1)}, False),
    ],
)
def test_fault_08_only_exclusions_active_at_the_scoring_date_count(
    row: dict[str, object], counts: bool
) -> None:
    listed = newest_active(exclusions(row | {"npi": B}), AS_OF)
    own, owned = features(built(ownership({"owner_npi": B}), listed), B, A)[::-1]
    assert (own["own_exclusion_active"], owned["owner_excluded"]) == (counts, counts)


def test_fault_08_payments_after_exclusion_are_computed() -> None:
    (row,) = exclusion_facts(exclusions({}), payments((A, 2019, 5), (A, 2022, 700)), AS_OF).to_dicts()
    assert (row["payments_after_exclusion_cents"], row["years_paid_after"]) == (700, [2022])


def test_fault_11_excluded_providers_without_payments_and_owned_facilities_have_rows() -> None:
    listed, owned = exclusions({"npi": B}), ownership({"owned_id": f"npi:{A + 5}", "owned_npi": A + 5})
    registry = pl.DataFrame(schema=REGISTRY.schema)
    everybody = universe(registry, pl.DataFrame({"npi": [A]}), listed, owned)
    assert everybody["npi"].to_list() == sorted([A, B, A + 5])
    rows = features(built(owned, newest_active(listed, AS_OF)), *everybody["npi"])
    assert [row["own_exclusion_active"] for row in rows] == [npi == B for npi in everybody["npi"]]
    assert exclusion_facts(listed, payments(), AS_OF)["npi"].to_list() == [B]
