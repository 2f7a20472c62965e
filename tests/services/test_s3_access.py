"""What stops a run with its files in a bucket is told in a line, before Snakemake asks for every file in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.needs import free_port, running
from tests.services.s3_server import S3Server
from tests.services.test_workflow_servers import SMALL
from tests.workflow.harness import Run, Workspace

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running(S3Server()) as server:
        yield server


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.create(tmp_path_factory.mktemp("access") / "riskflow", SMALL)


def planned(workspace: Workspace, url: str, credentials: Path, track: str = "providers") -> Run:
    words = ["--default-storage-provider", "s3", "--default-storage-prefix", "s3://riskflow/run"]
    environment = {"SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": url, "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    return workspace.snakemake("--dry-run", track, *words, env=environment)


def test_a_bucket_that_is_not_there_yet_is_an_empty_one(server: S3Server, workspace: Workspace) -> None:
    run = planned(workspace, server.url, server.credentials_file)
    assert run.status == 0, run.text
    assert run.jobs["providers_score"] == 2


def test_a_server_that_is_down(server: S3Server, workspace: Workspace) -> None:
    run = planned(workspace, f"http://127.0.0.1:{free_port()}", server.credentials_file)
    assert run.status != 0
    assert "s3://riskflow/run cannot be read (EndpointConnectionError); look at the address" in run.text


def test_a_wrong_key(server: S3Server, workspace: Workspace, tmp_path: Path) -> None:
    wrong = tmp_path / "credentials"
    wrong.write_text("[default]\naws_access_key_id = riskflow\naws_secret_access_key = wrong-key-81c2\n")
    run = planned(workspace, server.url, wrong)
    assert run.status != 0
    assert "s3://riskflow/run cannot be read (ClientError); look at the address" in run.text
    assert "wrong-key-81c2" not in run.text


def test_a_key_that_reaches_no_other_machine_is_refused(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's jobs there would take the demo's key."""
    notes = Workspace.create(tmp_path / "riskflow", {"tracks": ["notes"]})
    monkeypatch.setenv("RISKFLOW_NOTES_KEY", "a key for the tests, 0123456789abcdef")
    run = planned(notes, server.url, server.credentials_file, "notes")
    assert run.status != 0
    assert "RISKFLOW_NOTES_KEY does not reach other machines" in run.text
    assert "0123456789abcdef" not in run.text
