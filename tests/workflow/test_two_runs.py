"""A run beside another: a delta against stored references, and a comparison with an earlier run."""

from __future__ import annotations

import json
import shutil

import polars as pl

from tests.workflow.conftest import TARGETS
from tests.workflow.harness import Workspace

SCORES = "results/providers/scores.parquet"


def test_a_delta_run_equals_the_full_run(workspace: Workspace) -> None:
    """Fault 4: a single NPI was ranked against itself."""
    full = pl.read_parquet(workspace.path("providers/scores.parquet"))
    only = full.filter(pl.col("r_raw").is_not_null())["npi"].gather_every(40).to_list()
    workspace.overlay["results"] = "results_delta"
    workspace.overlay["providers"]["delta"] = {
        "only": [int(n) for n in only],
        "reference": "results/providers",
    }
    workspace.build("results_delta/providers/scores.parquet", "results_delta/providers/receipts/publish.json")
    delta = pl.read_parquet(workspace.folder / "results_delta/providers/scores.parquet")
    assert delta.equals(full.filter(pl.col("npi").is_in(only)))
    receipt = json.loads((workspace.folder / "results_delta/providers/receipts/reference.json").read_text())
    assert receipt["facts"]["of_run"] == "results/providers"
    assert receipt["facts"]["made"].startswith("20")


def test_the_change_since_an_earlier_run_is_attributed(workspace: Workspace) -> None:
    shutil.copytree(workspace.path("providers"), workspace.folder / "results_before" / "providers")
    workspace.overlay["providers"] |= {
        "weights": {"billing": 0.5},
        "previous": {"run": "results_before/providers"},
    }
    ran = workspace.build(*TARGETS)
    assert ran["providers_decompose"] == 1
    scores = pl.read_parquet(workspace.path("providers/scores.parquet"))
    before = pl.read_parquet(workspace.folder / "results_before" / "providers" / "scores.parquet")
    assert scores["previous_risk_score"].equals(before["risk_score"].rename("previous_risk_score"))
    assert scores["score_change"].abs().sum() > 0
    receipt = json.loads(workspace.path("providers/receipts/decompose.json").read_text())
    assert receipt["facts"]["changed"] == ["weights"]
