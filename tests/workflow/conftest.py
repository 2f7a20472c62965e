"""One finished run that all workflow tests of a worker start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskflow.providers.demo import DemoSpec
from riskflow.providers.demo_files import write_demo
from riskflow.providers.demo_layout import sources
from tests.workflow.harness import Workspace

SHARDS = 3
TARGETS = ["providers"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose provider track has run, from source files in data/."""
    folder = tmp_path_factory.mktemp("finished") / "riskflow"
    workspace = Workspace.create(folder, {})
    write_demo(DemoSpec(providers=400, seed=5, dirt=0.004), folder / "data")
    tables = {name: table.model_dump(mode="json") for name, table in sources(Path("data")).items()}
    workspace.overlay = {
        "tracks": ["providers"],
        "providers": {
            "source": {"kind": "files", **tables},
            "quality": {"max_quarantined": 0.3},
            "shards": {"count": SHARDS},
            "backtest": {"resamples": 20},
        },
    }
    workspace.build(*TARGETS)
    return workspace


@pytest.fixture
def workspace(finished: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished workspace, for one test to change."""
    return finished.copy(tmp_path / "riskflow")
