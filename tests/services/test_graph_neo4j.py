"""The Neo4j backend keeps the interface's definition, on a real server."""

import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskflow import artifacts
from riskflow.config.providers import (
    GraphSection,
    GraphStage,
    IngestStage,
    LoadGraphStage,
    Neo4jFeaturesStage,
)
from riskflow.config.root import load
from riskflow.contracts.providers_sources import EDGES, FEATURES, NODES
from riskflow.contracts.providers_universe import UNIVERSE
from riskflow.errors import RiskflowError
from riskflow.providers import ingest
from riskflow.providers.graph import build, features_neo4j, load_neo4j
from riskflow.providers.graph.embedded import EmbeddedGraph
from riskflow.providers.graph.interface import MILLION, Graph, Reach
from riskflow.providers.graph.neo4j import Neo4jGraph
from tests.paths import REPOSITORY, shared_data
from tests.services.neo4j_server import Neo4jServer
from tests.services.ownership import ownership, rebuilt
from tests.unit.providers.graph_conformance import REACH, GraphConformance, ask, graph, graphs

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def connected(neo4j_server: Neo4jServer) -> Iterator[Neo4jGraph]:
    with Neo4jGraph(neo4j_server.section(batch=2)) as backend:
        yield backend


class TestNeo4j(GraphConformance):
    @pytest.fixture(autouse=True)
    def _connect(self, connected: Neo4jGraph) -> None:
        self._backend = connected

    def backend(self) -> Neo4jGraph:
        return self._backend

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(graphs(), st.integers(1, 4))
    def test_any_graph_equals_the_definition(self, held: Graph, hops: int) -> None:
        self.check_any_graph(held, hops)


def embedded(held: Graph, npis: pl.Series) -> pl.DataFrame:
    backend = EmbeddedGraph()
    backend.load(held)
    return backend.features(npis, REACH)


def loads(server: Neo4jServer) -> int:
    with server.driver() as driver:
        return int(driver.execute_query("MATCH (m:RiskflowManifest) RETURN m.loads AS n").records[0]["n"])


def test_a_second_load_writes_nothing(connected: Neo4jGraph, neo4j_server: Neo4jServer) -> None:
    held = ownership(200)
    connected.load(held)
    before = loads(neo4j_server)
    counts = connected.load_difference(held)
    assert set(counts.values()) == {0} and loads(neo4j_server) == before


def test_a_changed_graph_loads_only_the_difference(connected: Neo4jGraph) -> None:
    held = ownership(200)
    connected.load(held)
    first = pl.col("owned_id") == "npi:1000000000"
    edges = held.edges.filter(pl.col("owned_id") != "npi:1000000199").with_columns(
        share_bps=pl.when(first).then(9_999).otherwise("share_bps")
    )
    changed = pl.col("node_id") == "P00001"
    nodes = held.nodes.with_columns(
        excluded=pl.col("excluded") | changed,
        exclusion_id=pl.when(changed).then(pl.lit("Xnew")).otherwise("exclusion_id"),
    )
    after = rebuilt(nodes, edges)
    assert connected.load_difference(after) == {
        "nodes_written": 1,
        "nodes_removed": 0,
        "edges_written": 1,
        "edges_removed": 1,
    }
    npis = held.nodes["npi"].drop_nulls()
    assert connected.features(npis, REACH).equals(embedded(after, npis))
    assert connected.load_difference(held)["nodes_written"] == 1  # and back again: the exclusion is gone
    assert connected.features(npis, REACH).equals(embedded(held, npis))


def test_a_node_that_becomes_another_kind_keeps_its_edges(connected: Neo4jGraph) -> None:
    held = ownership(40)
    connected.load(held)
    person = pl.col("node_id") == "O00001"
    after = rebuilt(
        held.nodes.with_columns(kind=pl.when(person).then(pl.lit("person")).otherwise("kind")), held.edges
    )
    counts = connected.load_difference(after)
    assert (counts["nodes_removed"], counts["nodes_written"], counts["edges_written"]) == (1, 1, 11)
    npis = held.nodes["npi"].drop_nulls()
    assert connected.features(npis, REACH).equals(embedded(after, npis))


def test_a_load_that_was_broken_off_is_seen_and_taken_up(
    connected: Neo4jGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected.load(ownership(20))
    held = ownership(100)

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(connected, "_finish", broken)
        connected.load(held)
    with pytest.raises(RiskflowError, match="is being loaded, or a load was broken off"):
        connected.features(pl.Series([1_000_000_000]), REACH)
    connected.load(held)
    npis = held.nodes["npi"].drop_nulls()
    assert connected.features(npis, REACH).equals(embedded(held, npis))


def test_nodes_that_someone_removed_by_hand_are_put_back(
    connected: Neo4jGraph, neo4j_server: Neo4jServer
) -> None:
    held = ownership(50)
    connected.load(held)
    with neo4j_server.driver() as driver:
        driver.execute_query("MATCH (n:RiskflowNode {node_id: 'O00002'}) DETACH DELETE n")
    assert connected.load_difference(held)["edges_written"] == 11


def test_a_foreign_node_in_the_database_fails_the_load(
    connected: Neo4jGraph, neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected.load(ownership(10))
    finish = connected._finish

    def meddle(graph_: Graph, loader: str) -> None:
        with neo4j_server.driver() as driver:
            driver.execute_query("CREATE (:RiskflowNode {node_id: 'foreign'})")
        finish(graph_, loader)

    with monkeypatch.context() as patch:
        patch.setattr(connected, "_finish", meddle)
        with pytest.raises(RiskflowError, match="something else writes to this database"):
            connected.load(ownership(20))
    assert connected.load_difference(ownership(20))["nodes_removed"] == 1


def test_two_loads_at_once_never_mix(connected: Neo4jGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    connected.load(ownership(10))
    write_rows, other = connected._write_rows, ownership(30)

    def overtaken(name: str, rows: pl.DataFrame | None, loader: str = "") -> None:
        if name == "merge_edges":
            connected._write("claim", {"loader": "another"})
        write_rows(name, rows, loader)

    with monkeypatch.context() as patch:
        patch.setattr(connected, "_write_rows", overtaken)
        with pytest.raises(RiskflowError, match="another run began to load"):
            connected.load(other)
    connected.load(other)


def test_a_graph_reloaded_in_mid_run_fails_the_shard_naming_both(
    connected: Neo4jGraph, neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, other = ownership(50), ownership(60)
    connected.load(held)
    read = connected._read

    def reloading(statement: str, doing: str, values: object = None) -> list[dict[str, object]]:
        if doing.startswith("asking batch 3"):
            with Neo4jGraph(neo4j_server.section()) as second:
                second.load(other)
        return read(statement, doing, values)  # type: ignore[arg-type]

    monkeypatch.setattr(connected, "_read", reloading)
    with pytest.raises(RiskflowError) as caught:
        connected.features(held.nodes["npi"].drop_nulls(), REACH)
    assert held.content_hash[:12] in str(caught.value) and other.content_hash[:12] in str(caught.value)


def test_a_server_killed_between_batches_and_restarted_loses_nothing(neo4j_server: Neo4jServer) -> None:
    held = ownership(60)
    npis = held.nodes["npi"].drop_nulls()
    with Neo4jGraph(neo4j_server.section(batch=20, retry_seconds=90)) as backend:
        backend.load(held)
        read = backend._read

        def killing(statement: str, doing: str, values: object = None) -> list[dict[str, object]]:
            if doing.startswith("asking batch 2"):
                neo4j_server.kill()
                threading.Thread(target=neo4j_server.start).start()
            return read(statement, doing, values)  # type: ignore[arg-type]

        backend._read = killing  # type: ignore[method-assign]
        assert backend.features(npis, REACH).equals(embedded(held, npis))


@pytest.mark.slow
def test_a_server_killed_in_mid_load_and_restarted_holds_the_whole_graph(neo4j_server: Neo4jServer) -> None:
    held = ownership(60)
    npis = held.nodes["npi"].drop_nulls()
    with Neo4jGraph(neo4j_server.section(retry_seconds=90)) as backend:
        backend.load(ownership(40))
        write_rows, restarts = backend._write_rows, list[threading.Thread]()

        def killing(name: str, rows: pl.DataFrame | None, loader: str = "") -> None:
            if name == "merge_edges":
                neo4j_server.kill()
                restarts.append(threading.Thread(target=neo4j_server.start))
                restarts[0].start()
            write_rows(name, rows, loader)

        backend._write_rows = killing  # type: ignore[method-assign]
        assert backend.load_difference(held)["nodes_written"] > 0
        restarts[0].join()
        assert backend.content_hash() == held.content_hash
        assert backend.features(npis, REACH).equals(embedded(held, npis))


def test_ids_that_sort_differently_in_utf_16(connected: Neo4jGraph) -> None:
    low, high = "Ｏ-fullwidth", "😀-astral"  # U+FF2F < U+1F600, but its UTF-16 units are greater
    held = graph([(low, "a", 1), (high, "a", 1), ("P1", low, 1), ("P1", high, 1)], "P1")
    (found,) = ask(connected, held, "a")
    assert found["nearest_exclusion_path"] == ["label of a", f"label of {low}", "label of P1"]


def test_values_that_look_like_cypher_are_only_values(connected: Neo4jGraph) -> None:
    evil = "O1'}) DETACH DELETE (n) //`\"\\"
    held = graph([(evil, "a", 10_000), ("P1", evil, 10_000)], "P1")
    (found,) = ask(connected, held, "a")
    assert found["nearest_exclusion_path"] == ["label of a", f"label of {evil}", "label of P1"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"uri": "bolt://127.0.0.1:1"}, "no Neo4j answers at bolt://127.0.0.1:1"),
        ({"user": "somebody"}, "refuses user somebody"),
        ({"password_file": "WRONG"}, "refuses user neo4j"),
        (
            {"password_file": "/nowhere/password"},
            "providers.neo4j.password_file: cannot read /nowhere/password",
        ),
        ({"password_file": ""}, "RISKFLOW_NEO4J_PASSWORD is not set"),
        ({"database": "nothere"}, "has no database nothere"),
        ({"database": "x`; DROP DATABASE neo4j"}, "has no database"),
    ],
)
def test_errors_say_what_to_do_and_never_the_password(
    neo4j_server: Neo4jServer,
    changes: dict[str, str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RISKFLOW_NEO4J_PASSWORD", raising=False)
    if changes.get("password_file") == "WRONG":
        (tmp_path / "wrong").write_text("CANARY-PASSWORD")
        changes = {"password_file": str(tmp_path / "wrong")}
    with pytest.raises(RiskflowError) as caught:
        Neo4jGraph(neo4j_server.section(**changes))
    trace = "".join(traceback.format_exception(caught.value))
    assert sentence in str(caught.value)
    assert "CANARY-PASSWORD" not in trace and neo4j_server.password not in trace


def test_the_password_may_come_from_the_environment(
    neo4j_server: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKFLOW_NEO4J_PASSWORD", neo4j_server.password)
    Neo4jGraph(neo4j_server.section(password_file="")).close()


def test_an_empty_database_is_no_graph(neo4j_server: Neo4jServer) -> None:
    with neo4j_server.driver() as driver:
        driver.execute_query("MATCH (n) DETACH DELETE n")
    with Neo4jGraph(neo4j_server.section()) as backend, pytest.raises(RiskflowError, match="holds no graph"):
        backend.features(pl.Series([1_000_000_000]), REACH)


def test_no_npis_and_more_hops_than_it_can(connected: Neo4jGraph) -> None:
    connected.load(ownership(10))
    assert connected.features(pl.Series([], dtype=pl.Int64), REACH).height == 0
    with pytest.raises(RiskflowError, match="looks up to 6 hops"):
        connected.features(pl.Series([1_000_000_000]), Reach(7, (MILLION,) * 7))


def test_the_stages_from_graph_to_features(neo4j_server: Neo4jServer, tmp_path: Path) -> None:
    held = ownership(40)
    nodes, edges, universe = (tmp_path / f"{name}.parquet" for name in ("nodes", "edges", "universe"))
    artifacts.write(held.nodes, nodes, NODES)
    artifacts.write(held.edges, edges, EDGES)
    npis = held.nodes.drop_nulls("npi").select("npi")
    values = {
        "npi_luhn_ok": True,
        "in_registry": False,
        "has_payments": True,
        "in_exclusions": False,
        "is_owned": True,
    }
    rows = npis.select(
        (pl.col(name) if name == "npi" else pl.lit(values.get(name))).cast(dtype).alias(name)
        for name, dtype in UNIVERSE.schema.items()
    )
    artifacts.write(rows, universe, UNIVERSE)
    section, graph_section = neo4j_server.section(), GraphSection()
    receipt = load_neo4j.run(nodes=nodes, edges=edges, config=LoadGraphStage(neo4j=section))
    receipt.write(tmp_path / "loaded.json")
    asking = {
        "universe": universe,
        "loaded": tmp_path / "loaded.json",
        "output": tmp_path / "features.parquet",
    }
    stage = Neo4jFeaturesStage(graph=graph_section, neo4j=section)
    features_neo4j.run(**asking, config=stage)
    by_server = artifacts.read(tmp_path / "features.parquet", FEATURES)
    backend = EmbeddedGraph()
    backend.load(held)
    assert by_server.equals(backend.features(npis["npi"], Reach.of(graph_section)))
    with Neo4jGraph(section) as other:
        other.load(ownership(50))
    (tmp_path / "features.parquet").unlink()
    with pytest.raises(RiskflowError, match=held.content_hash[:12]):
        features_neo4j.run(**asking, config=stage)
    assert not (tmp_path / "features.parquet").exists()


@pytest.mark.slow
def test_the_real_extract_has_equal_features(
    neo4j_server: Neo4jServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_data("real_medicaid")
    monkeypatch.chdir(REPOSITORY)
    config = load([REPOSITORY / "config/scenarios/real_medicaid.yaml"]).providers
    made = {
        name: tmp_path / f"{name}.parquet"
        for name in ("ownership", "exclusions", "registry", "nodes", "edges")
    }
    for table in ("ownership", "exclusions", "registry"):
        path = Path(getattr(config.source, table).path)
        stage = IngestStage(source=config.source)
        ingest.run(
            source=[path], table=table, output=made[table], quarantine=tmp_path / f"{table}.bad", config=stage
        )
    build.run(
        **made, config=GraphStage(scoring=config.scoring, exclusions=config.exclusions, graph=config.graph)
    )
    frames = artifacts.read(made["nodes"], NODES), artifacts.read(made["edges"], EDGES)
    held = rebuilt(*frames)
    npis, reach = held.nodes["npi"].drop_nulls(), Reach.of(config.graph)
    assert npis.len() > 10_000 and held.edges.height > 10_000
    here = EmbeddedGraph()
    here.load(held)
    with Neo4jGraph(neo4j_server.section()) as backend:
        backend.load(held)
        assert backend.features(npis, reach).equals(here.features(npis, reach))
