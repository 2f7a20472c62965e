"""A small finished run of the members track, for the workflow tests to start from."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.workflow.harness import Workspace

SHARDS = 3
TARGETS = ["members"]
DEFINITIONS = {
    "scenarios": {"last_year": {"run": "prior"}, "this_year": {"run": "current"}},
    "decompositions": [
        {
            "name": "model_and_data",
            "method": "factorial",
            "replicates": 20,
            "segments": ["metal"],
            "factors": [
                {"name": "Model", "setting": "model", "levels": ["2024", "2025"]},
                {"name": "Data", "setting": "data", "levels": ["prior", "current"]},
            ],
        },
        {
            "name": "turnover",
            "method": "turnover",
            "replicates": 20,
            "baseline": "last_year",
            "actual": "this_year",
        },
    ],
}


def members_workspace(folder: Path) -> Workspace:
    """Return a workspace whose members track has run on generated members."""
    workspace = Workspace.create(folder, {})
    (folder / "definitions.yaml").write_text(yaml.safe_dump(DEFINITIONS))
    workspace.overlay = {
        "tracks": ["members"],
        "members": {
            "demo": {"members": 800, "seed": 3},
            "quality": {"max_quarantined": 0.3},
            "shards": {"count": SHARDS},
            "decomposition": {"definitions": "definitions.yaml"},
        },
    }
    workspace.build(*TARGETS)
    return workspace
