"""The provider track on real servers: the same scores as embedded, published, and no password left anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from riskflow.artifacts import content_digest
from riskflow.providers.graph.neo4j import Neo4jGraph
from tests.services.neo4j_server import Neo4jServer
from tests.services.ownership import ownership
from tests.services.postgres_server import PostgresServer
from tests.services.publishing import fresh_database
from tests.workflow.harness import Run, Workspace

pytestmark = [pytest.mark.service, pytest.mark.slow]
SCORES = "providers/scores.parquet"
SMALL = {
    "tracks": ["providers"],
    "providers": {
        "demo": {"providers": 200},
        "quality": {"max_quarantined": 0.3},
        "shards": {"count": 2},
        "backtest": {"resamples": 20},
    },
}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose provider track has run with the embedded graph and no server."""
    workspace = Workspace.create(tmp_path_factory.mktemp("embedded") / "riskflow", SMALL)
    workspace.build("providers")
    return workspace


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[str]:
    with fresh_database(postgres_server, "workflow") as name:
        yield name


@pytest.fixture(scope="module")
def on_servers(
    embedded: Workspace,
    neo4j_server: Neo4jServer,
    postgres_server: PostgresServer,
    database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Workspace:
    """The same with the graph in Neo4j and the scores published to PostgreSQL as well; it has run."""
    workspace = embedded.copy(tmp_path_factory.mktemp("servers") / "riskflow")
    workspace.overlay["providers"] |= {
        "graph": {"backend": "neo4j"},
        "neo4j": {"uri": neo4j_server.uri, "password_file": str(neo4j_server.password_file)},
    }
    workspace.overlay["publish"] = {
        "postgres": {"enabled": True, "port": postgres_server.port, "database": database, "user": "postgres"}
    }
    run = run_with_passwords(workspace, postgres_server)
    assert run.status == 0, run.text
    return workspace


def run_with_passwords(workspace: Workspace, postgres: PostgresServer, *words: str) -> Run:
    """Run the track; PostgreSQL's password comes from the environment, Neo4j's from a file."""
    return workspace.snakemake("providers", *words, env={"RISKFLOW_POSTGRES_PASSWORD": postgres.password})


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_scores_are_the_bytes_of_the_embedded_run(embedded: Workspace, on_servers: Workspace) -> None:
    assert on_servers.path("providers/receipts/load_graph.json").exists(), "the graph went through the server"
    assert on_servers.path(SCORES).read_bytes() == embedded.path(SCORES).read_bytes()
    for shard in ("0000", "0001"):
        name = f"providers/features/{shard}.parquet"
        assert on_servers.path(name).stat().st_mtime_ns > embedded.path(name).stat().st_mtime_ns
        assert content_digest(on_servers.path(name)) == content_digest(embedded.path(name))


def test_every_score_is_in_postgres(
    on_servers: Workspace, postgres_server: PostgresServer, database: str
) -> None:
    scores = pl.read_parquet(on_servers.path(SCORES)).select("npi", "risk_score").sort("npi")
    with postgres_server.connect(database) as connection:
        rows = connection.execute(
            "SELECT npi::text, risk_score_exact FROM riskflow.provider_risk_scores ORDER BY npi"
        ).fetchall()
    published = pl.DataFrame(rows, schema={"npi": pl.String, "risk_score": pl.Float64}, orient="row")
    assert published.equals(scores.with_columns(pl.col("npi").cast(pl.String)))


def test_a_second_run_has_nothing_to_do(on_servers: Workspace) -> None:
    assert on_servers.plan("providers") == {}


def test_no_password_is_left_anywhere(
    on_servers: Workspace, neo4j_server: Neo4jServer, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Neither after a run that went well, nor in the output and the logs of one that a server refused."""
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-password-7f3a\n")
    workspace = on_servers.copy(tmp_path / "riskflow")
    workspace.overlay["providers"]["neo4j"] |= {"password_file": str(wrong), "retry_seconds": 1}
    refused = run_with_passwords(workspace, postgres_server)
    assert refused.status != 0
    assert "refuses user neo4j" in refused.text
    secrets = [neo4j_server.password, postgres_server.password, "not-the-password-7f3a"]
    looked_at = [*files(on_servers.folder), *files(workspace.folder)]
    assert any(".snakemake" in path.parts for path in looked_at)
    assert any(path.suffix == ".log" for path in looked_at)
    for path in looked_at:
        content = path.read_bytes()
        assert not [True for secret in secrets if secret.encode() in content], path
    assert not [True for secret in secrets if secret in refused.text]


def test_a_foreign_graph_fails_the_shard_and_is_healed(
    on_servers: Workspace, neo4j_server: Neo4jServer, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Somebody loads another graph between the load and a shard: no shard is made from it."""
    expected = on_servers.path(SCORES).read_bytes()
    workspace = on_servers.copy(tmp_path / "riskflow")
    foreign = ownership(40)
    with Neo4jGraph(neo4j_server.section()) as backend:
        backend.load(foreign)
    for name in ("features/0001.parquet", "scored/0001.parquet", "merged.parquet", "scores.parquet"):
        workspace.path(f"providers/{name}").unlink()
    failed = run_with_passwords(workspace, postgres_server)
    assert failed.status != 0
    assert f"the graph that is loaded has hash {foreign.content_hash[:12]}" in failed.text
    assert not workspace.path("providers/features/0001.parquet").exists()
    healed = run_with_passwords(workspace, postgres_server, "--forcerun", "providers_load_graph")
    assert healed.status == 0, healed.text
    assert workspace.path(SCORES).read_bytes() == expected


def test_a_server_that_is_down_fails_clearly_and_the_run_resumes(
    on_servers: Workspace, neo4j_server: Neo4jServer, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    expected = on_servers.path(SCORES).read_bytes()
    workspace = on_servers.copy(tmp_path / "riskflow")
    workspace.overlay["providers"]["neo4j"]["retry_seconds"] = 1
    neo4j_server.kill()
    try:
        failed = run_with_passwords(workspace, postgres_server)
    finally:
        neo4j_server.start()
    assert failed.status != 0
    assert f"no Neo4j answers at {neo4j_server.uri}" in failed.text
    resumed = run_with_passwords(workspace, postgres_server)
    assert resumed.status == 0, resumed.text
    assert workspace.path(SCORES).read_bytes() == expected
