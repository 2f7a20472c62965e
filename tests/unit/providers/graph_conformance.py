"""What every graph backend must answer; a test module names the backend (see test_graph_embedded.py).

`expected` is the interface's definition, read literally: it lists the walks one by one, in plain Python.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from hypothesis import strategies as st

from riskflow.contracts.providers_sources import FEATURES
from riskflow.providers.graph.build import content_hash
from riskflow.providers.graph.interface import MILLION, Graph, GraphBackend, Reach

NPI = {name: 1_000_000_000 + place for place, name in enumerate("abcdefghij")}
REACH = Reach(3, (MILLION, MILLION // 2, MILLION // 4))


def node_id(name: str) -> str:
    """Lower-case letters are providers, anything else is an organization or a person."""
    return f"npi:{NPI[name]}" if name in NPI else name


def graph(edges: Sequence[tuple[str, str, int]], excluded: str = "", hubs: Sequence[str] = ()) -> Graph:
    """Return a graph of (owner, owned, basis points); names with P are persons."""
    names = sorted({name for owner, owned, _ in edges for name in (owner, owned)} | set(excluded.split()))
    nodes = pl.DataFrame(
        [
            {
                "node_id": node_id(name),
                "kind": "provider" if name in NPI else "person" if name.startswith("P") else "organization",
                "label": f"label of {name}",
                "npi": NPI.get(name),
                "excluded": name in excluded.split(),
                "exclusion_id": f"X{name}" if name in excluded.split() else None,
                "is_hub": name in hubs,
            }
            for name in names
        ],
        schema={
            "node_id": pl.String,
            "kind": pl.String,
            "label": pl.String,
            "npi": pl.Int64,
            "excluded": pl.Boolean,
            "exclusion_id": pl.String,
            "is_hub": pl.Boolean,
        },
    ).sort("node_id")
    rows = [(node_id(owner), node_id(owned), share, "OWNER", None) for owner, owned, share in edges]
    columns = {"owner_id": pl.String, "owned_id": pl.String, "share_bps": pl.Int64, "role": pl.String}
    table = pl.DataFrame(rows, schema=columns | {"since": pl.Date}, orient="row").sort("owner_id", "owned_id")
    return Graph(nodes, table, content_hash(nodes, table))


def ask(backend: GraphBackend, held: Graph, names: str, reach: Reach = REACH) -> list[dict[str, object]]:
    """Load a graph and return the features of the named providers, in order of NPI."""
    backend.load(held)
    features = backend.features(pl.Series([NPI[name] for name in names.split()], dtype=pl.Int64), reach)
    FEATURES.validate(features)
    return features.to_dicts()


def expected(held: Graph, npi: int, reach: Reach) -> dict[str, object]:
    """Return the features of one provider by listing its walks."""
    nodes = {row["node_id"]: row for row in held.nodes.to_dicts()}
    owners: dict[str, list[tuple[str, int]]] = {}
    owned: dict[str, list[str]] = {}
    for row in held.edges.to_dicts():
        owners.setdefault(row["owned_id"], []).append((row["owner_id"], row["share_bps"]))
        owned.setdefault(row["owner_id"], []).append(row["owned_id"])
    f = f"npi:{npi}"

    def up(walk: list[str], share: int) -> list[tuple[list[str], int]]:
        if len(walk) > reach.hops or (len(walk) > 1 and nodes[walk[-1]]["is_hub"]):
            return []
        further = []
        for owner, bps in owners.get(walk[-1], []):
            if owner != f:
                longer = ([*walk, owner], share * bps // 10_000)
                further += [longer, *up(*longer)]
        return further

    def down(top: str, hops: int) -> set[str]:
        if hops == 0 or nodes[top]["is_hub"]:
            return set()
        below = set(owned.get(top, []))
        return below.union(*[down(node, hops - 1) for node in below])

    walks = up([f], MILLION)
    risky = [(walk, share) for walk, share in walks if nodes[walk[-1]]["excluded"]]
    direct = {walk[-1] for walk, _ in risky if len(walk) == 2}
    far = {walk[-1] for walk, _ in risky} - direct
    best: dict[str, int] = {}
    for walk, share in risky:
        value = share * reach.decay_millionths[len(walk) - 2] // MILLION
        best[walk[-1]] = max(value, best.get(walk[-1], 0))
    tops = {walk[-1] for walk, _ in walks if not nodes[walk[-1]]["is_hub"]}
    reached = set().union(*[down(top, reach.hops) for top in tops])
    chain = {node for node in reached if nodes[node]["npi"] and node != f}
    excluded_chain = [node for node in chain if nodes[node]["excluded"]]
    nearest = min((walk for walk, _ in risky), key=lambda walk: (len(walk), walk[::-1]), default=None)
    return {
        "npi": npi,
        "graph_hash": held.content_hash,
        "own_exclusion_active": bool(nodes[f]["excluded"]) if f in nodes else False,
        "owner_excluded": bool(direct),
        "chain_excluded": bool(far or excluded_chain),
        "ownership_risk": min(sum(best.values()), MILLION) / 10_000,
        "chain_providers": len(chain),
        "chain_excluded_providers": len(excluded_chain),
        "nearest_exclusion_hops": len(nearest) - 1 if nearest else None,
        "nearest_exclusion_path": [nodes[node]["label"] for node in nearest] if nearest else None,
    }


_NAMES = [*"abcde", "O1", "O2", "O3", "P1", "P2"]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any small graph: cycles, hubs, zero shares, excluded nodes anywhere."""
    pairs = st.tuples(st.sampled_from(_NAMES), st.sampled_from(_NAMES)).filter(
        lambda pair: pair[0] != pair[1]
    )
    chosen = draw(st.lists(pairs, unique=True, max_size=16))
    shares = draw(
        st.lists(st.sampled_from([0, 1, 500, 3_333, 10_000]), min_size=len(chosen), max_size=len(chosen))
    )
    edges = [(owner, owned, share) for (owner, owned), share in zip(chosen, shares, strict=True)]
    excluded = draw(st.lists(st.sampled_from(_NAMES), unique=True, max_size=4))
    hubs = draw(st.lists(st.sampled_from(_NAMES), unique=True, max_size=2))
    return graph(edges, " ".join(excluded), hubs)


class GraphConformance:
    """Inherit and give `backend`."""

    def backend(self) -> GraphBackend:
        """Return an empty backend."""
        raise NotImplementedError

    def one(self, held: Graph, name: str = "a", reach: Reach = REACH) -> dict[str, object]:
        """Return the features of one provider, after comparing them with the definition."""
        (found,) = ask(self.backend(), held, name, reach)
        assert found == expected(held, NPI[name], reach)
        return found

    def test_provider_without_owners_has_zeros(self) -> None:
        found = self.one(graph([("O1", "b", 10_000)], "O1"))
        assert (found["ownership_risk"], found["chain_providers"], found["nearest_exclusion_hops"]) == (
            0,
            0,
            None,
        )

    def test_own_exclusion_is_not_an_owners(self) -> None:
        found = self.one(graph([("O1", "a", 10_000)], "a"))
        assert found["own_exclusion_active"] and not found["owner_excluded"] and found["ownership_risk"] == 0

    def test_direct_owner_excluded(self) -> None:
        found = self.one(graph([("O1", "a", 4_000)], "O1"))
        assert (found["owner_excluded"], found["chain_excluded"], found["ownership_risk"]) == (
            True,
            False,
            40.0,
        )
        assert found["nearest_exclusion_path"] == ["label of a", "label of O1"]

    def test_person_who_owns_through_organizations(self) -> None:
        found = self.one(graph([("O1", "a", 5_000), ("O2", "O1", 8_000), ("P1", "O2", 10_000)], "P1"))
        assert found["ownership_risk"] == 100 * 0.5 * 0.8 * 0.25
        assert (found["owner_excluded"], found["chain_excluded"], found["nearest_exclusion_hops"]) == (
            False,
            True,
            3,
        )

    def test_nothing_beyond_the_last_hop(self) -> None:
        held = graph([("O1", "a", 10_000), ("O2", "O1", 10_000), ("P1", "O2", 10_000)], "P1")
        assert self.one(held, reach=Reach(2, (MILLION, 500_000)))["nearest_exclusion_hops"] is None

    def test_cycles_end(self) -> None:
        held = graph([("O1", "a", 9_000), ("O2", "O1", 9_000), ("O1", "O2", 9_000), ("a", "O2", 9_000)], "O2")
        assert self.one(held)["nearest_exclusion_hops"] == 2

    def test_provider_that_owns_its_owner_is_not_its_own_chain(self) -> None:
        found = self.one(graph([("O1", "a", 9_000), ("a", "O1", 9_000)], "a"))
        assert (found["chain_providers"], found["owner_excluded"], found["chain_excluded"]) == (
            0,
            False,
            False,
        )

    def test_best_of_parallel_paths_counts_once(self) -> None:
        held = graph(
            [("O1", "a", 5_000), ("O2", "a", 1_000), ("P1", "O1", 5_000), ("P1", "O2", 10_000)], "P1"
        )
        assert self.one(held)["ownership_risk"] == 100 * 0.5 * 0.5 * 0.5

    def test_direct_and_indirect_role_of_one_owner(self) -> None:
        held = graph([("P1", "a", 100), ("O1", "a", 10_000), ("P1", "O1", 10_000)], "P1")
        found = self.one(held)
        assert (found["nearest_exclusion_hops"], found["ownership_risk"]) == (1, 50.0)

    def test_risk_is_cut_at_100(self) -> None:
        held = graph([("P1", "a", 10_000), ("P2", "a", 10_000)], "P1 P2")
        assert self.one(held)["ownership_risk"] == 100

    def test_risk_is_exact_to_four_decimals(self) -> None:
        held = graph([("b", "a", 1), ("P1", "b", 3_333)], "P1 b")
        assert self.one(held)["ownership_risk"] == 0.0116

    def test_zero_share_is_a_path_without_risk(self) -> None:
        found = self.one(graph([("O1", "a", 0)], "O1"))
        assert (found["owner_excluded"], found["ownership_risk"]) == (True, 0)

    def test_hub_is_reached_but_not_passed(self) -> None:
        edges = [("O1", "a", 10_000), ("O1", "b", 10_000), ("O1", "c", 10_000), ("P1", "O1", 10_000)]
        assert self.one(graph(edges, "P1 c", ["O1"]))["nearest_exclusion_hops"] is None
        assert self.one(graph(edges, "P1 c", ["O1"]))["chain_providers"] == 0
        assert self.one(graph(edges, "O1", ["O1"]))["owner_excluded"]
        assert self.one(graph(edges, "P1 c"))["chain_excluded_providers"] == 1

    def test_chain_counts_other_providers_once(self) -> None:
        edges = [
            ("O1", "a", 1),
            ("O1", "b", 1),
            ("O2", "O1", 1),
            ("O2", "O3", 1),
            ("O3", "c", 1),
            ("O3", "b", 1),
        ]
        found = self.one(graph(edges, "c"))
        assert (found["chain_providers"], found["chain_excluded_providers"], found["chain_excluded"]) == (
            2,
            1,
            True,
        )

    def test_ties_of_the_nearest_break_by_id(self) -> None:
        held = graph(
            [("O2", "a", 1), ("O1", "a", 1), ("P2", "O1", 1), ("P1", "O2", 1), ("P1", "O1", 1)], "P1 P2"
        )
        assert self.one(held)["nearest_exclusion_path"] == ["label of a", "label of O1", "label of P1"]

    def test_rows_are_sorted_and_unique(self) -> None:
        found = ask(self.backend(), graph([("O1", "a", 1)]), "c a b a")
        assert [row["npi"] for row in found] == [NPI["a"], NPI["b"], NPI["c"]]

    def test_loading_again_replaces(self) -> None:
        backend = self.backend()
        ask(backend, graph([("O1", "a", 1)], "O1"), "a")
        (found,) = ask(backend, graph([("O2", "a", 1)]), "a")
        assert not found["owner_excluded"]
        again = ask(backend, graph([("O2", "a", 1)]), "a")
        assert again == [found]

    def check_any_graph(self, held: Graph, hops: int) -> None:
        """Compare every provider with the definition, asked together and one at a time."""
        backend, reach = self.backend(), Reach(hops, tuple(MILLION // 2**hop for hop in range(hops)))
        together = ask(backend, held, "a b c d e j", reach)
        assert together == [expected(held, NPI[name], reach) for name in "abcdej"]
        assert ask(backend, held, "b", reach) == [together[1]]
