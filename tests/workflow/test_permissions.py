"""What a run makes is for its owner and group only: files 0640, folders 0750, or as the config's umask says."""

from __future__ import annotations

import stat
from collections import Counter
from pathlib import Path

import pytest

from tests.workflow.harness import Workspace

KINDS = {".parquet", ".json", ".html", ".log", ".tsv", ".duckdb"}


def modes(root: Path) -> tuple[Counter[int], Counter[int]]:
    """Return how many files and how many folders have which mode."""
    found = [root, *root.rglob("*")]
    files = Counter(stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file())
    folders = Counter(stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir())
    return files, folders


def test_artifacts_receipts_logs_reports_and_warehouse_are_private(finished: Workspace) -> None:
    results = finished.folder / "results"
    assert {path.suffix for path in results.rglob("*")} >= KINDS
    files, folders = modes(results)
    assert set(files) == {0o640}
    assert set(folders) == {0o750}


@pytest.mark.slow
def test_the_config_may_say_otherwise(workspace: Workspace) -> None:
    """A new umask makes nothing stale; what is made from then on has its modes."""
    workspace.overlay["umask"] = "077"
    assert workspace.plan("providers") == {}
    assert workspace.build("providers", "--forcerun", "providers_report") == {"providers_report": 1}
    for name in ("report.html", "receipts/report.json"):
        assert stat.S_IMODE(workspace.path(f"providers/{name}").stat().st_mode) == 0o600
