"""The plan matrix: a change, and exactly the rules that it makes stale.

Each case starts from a finished run. Where a shard's work depends on a plan that is itself to be made anew, a
dry run cannot list it; those cases are run for real.
"""

from __future__ import annotations

import gzip
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.conftest import SHARDS, TARGETS
from tests.workflow.harness import Workspace

ENDS = {"report": 1}
AFTER_SCORES = {"publish": 1, **ENDS}
AFTER_RANK = {"explain": 1, **AFTER_SCORES}
AFTER_MERGE = {"rank": 1, **AFTER_RANK}
AFTER_SCORING = {"merge": 1, **AFTER_MERGE}
SCORING = {"score": SHARDS, **AFTER_SCORING}


def rules(jobs: dict[str, int]) -> dict[str, int]:
    return {f"providers_{name}": count for name, count in jobs.items()}


def setting(*keys: str, value: object) -> Callable[[Workspace], None]:
    """Change one config key of the provider track."""

    def change(workspace: Workspace) -> None:
        node = workspace.overlay["providers"]
        for key in keys[:-1]:
            node = node.setdefault(key, {})
        node[keys[-1]] = value

    return change


def edit(file: str, pattern: str, replacement: str) -> Callable[[Workspace], None]:
    """Replace a text in a file of the workspace, once."""

    def change(workspace: Workspace) -> None:
        path = workspace.folder / file
        text, count = re.subn(pattern, replacement, path.read_text(), count=1)
        assert count == 1, f"{pattern} is not in {file}"
        path.write_text(text)

    return change


def both(*changes: Callable[[Workspace], None]) -> Callable[[Workspace], None]:
    def change(workspace: Workspace) -> None:
        for one in changes:
            one(workspace)

    return change


def nothing(_: Workspace) -> None:
    """No change at all."""


def touch_sources(workspace: Workspace) -> None:
    for path in (workspace.folder / "data").iterdir():
        path.touch()


def touch_code(workspace: Workspace) -> None:
    for path in (workspace.folder / "src").rglob("*.py"):
        path.touch()


def edit_with_an_old_date(workspace: Workspace) -> None:
    path = workspace.folder / "data" / "registry.csv"
    path.write_bytes(path.read_bytes().replace(b"TX", b"NY", 1))
    old = time.time() - 10 * 365 * 86400
    os.utime(path, (old, old))


def delete(name: str) -> Callable[[Workspace], None]:
    return lambda workspace: workspace.path(name).unlink()


PLANNED = {
    "nothing": (nothing, {}),
    "sources touched": (touch_sources, {}),
    "code touched": (touch_code, {}),
    "comment in a module": (
        edit("src/riskflow/providers/score.py", r"\ndef ", "\n# a comment\n\n\ndef "),
        {},
    ),
    "docstring of a module": (
        edit("src/riskflow/providers/score.py", r'"""The score', '"""This is the score'),
        {},
    ),
    "tier limit": (setting("tiers", "high", value=85), {**AFTER_MERGE, "backtest": 1}),
    "flag limit": (setting("flags", "billing_percentile", value=97), AFTER_RANK),
    "report length": (setting("report", "top", value=10), ENDS),
    "backtest seed": (setting("backtest", "seed", value=8), {"backtest": 1, **ENDS}),
    "quarantine limit": (
        setting("quality", "max_quarantined", value=0.31),
        {"quality": 1, **AFTER_RANK},
    ),
    "one weight": (setting("weights", "billing", value=0.31), {**SCORING, "backtest": 1}),
    "two weights swapped": (
        both(setting("weights", "billing", value=0.25), setting("weights", "ownership", value=0.30)),
        {**SCORING, "backtest": 1},
    ),
    "flags module": (
        edit("src/riskflow/providers/reasons.py", r"\ndef ", "\nUNUSED = 1\n\n\ndef "),
        AFTER_RANK,
    ),
    "publish query": (
        edit("src/riskflow/providers/publish/verify.sql", r"SELECT", "SELECT ALL"),
        {"publish": 1, **ENDS},
    ),
    "score program": (
        edit("workflow/scripts/providers_score.py", r"\nif ", "\nUNUSED = 1\n\nif "),
        SCORING,
    ),
    "old-dated edit of a source": (
        edit_with_an_old_date,
        # the shards follow when the plan is made
        {
            "ingest_registry": 1,
            "quality": 1,
            "universe": 1,
            "matching": 1,
            "graph": 1,
            "metrics": 1,
            "reference": 1,
        }
        | {"shard": 1, "plan": 1, "percentiles": 1, "backtest": 1, **AFTER_SCORING},
    ),
    "scores deleted": (delete("providers/scores.parquet"), AFTER_RANK),
    "one scored shard deleted, nothing needs it": (delete("providers/scored/0001.parquet"), {}),
    "report deleted": (delete("providers/report.html"), ENDS),
}


@pytest.mark.parametrize("name", PLANNED)
def test_exactly_what_is_stale_is_planned(workspace: Workspace, name: str) -> None:
    change, expected = PLANNED[name]
    change(workspace)
    assert workspace.plan(*TARGETS) == rules(expected) | ({"providers": 1} if expected else {})


def test_a_fresh_dry_run_lists_every_job(finished: Workspace, tmp_path: Path) -> None:
    fresh = Workspace.create(tmp_path / "fresh", {"providers": {"shards": {"count": 7}}})
    jobs = fresh.plan(*TARGETS)
    assert jobs["providers_features"] == jobs["providers_score"] == 7
    assert jobs["providers_demo"] == jobs["providers_rank"] == jobs["providers_publish"] == 1


def test_one_changed_provider_scores_one_shard(workspace: Workspace) -> None:
    raise_one_payment(workspace)
    before = shard_bytes(workspace)
    ran = workspace.build(*TARGETS)
    changed = [shard for shard, content in shard_bytes(workspace).items() if content != before[shard]]
    assert len(changed) == 1
    assert ran["providers_score"] == 1
    assert "providers_features" not in ran
    assert "providers_ingest_registry" not in ran
    assert workspace.plan(*TARGETS) == {}


def test_two_changes_at_once_hide_nothing(workspace: Workspace) -> None:
    """Snakemake does not look behind a stale job, and ancient inputs do not pass staleness on."""
    setting("quality", "max_quarantined", value=0.31)(workspace)
    setting("weights", "billing", value=0.31)(workspace)
    ran = workspace.build(*TARGETS)
    assert ran["providers_score"] == SHARDS
    assert workspace.plan(*TARGETS) == {}


def test_the_number_of_shards_changes_no_byte_of_the_scores(workspace: Workspace) -> None:
    before = workspace.path("providers/scores.parquet").read_bytes()
    setting("shards", "count", value=5)(workspace)
    ran = workspace.build(*TARGETS)
    assert ran["providers_score"] == 5
    assert workspace.path("providers/scores.parquet").read_bytes() == before
    assert workspace.plan(*TARGETS) == {}


def shard_bytes(workspace: Workspace) -> dict[str, bytes]:
    return {
        path.stem: path.read_bytes() for path in sorted(workspace.path("providers/scored").glob("*.parquet"))
    }


def raise_one_payment(workspace: Workspace) -> None:
    """Raise a payment well above its peers by a little: no peer median moves, so no other provider's score does."""
    path = workspace.folder / "data" / "payments_release_1.csv.gz"
    head, *lines = gzip.decompress(path.read_bytes()).decode("cp1252").splitlines()
    column = head.split(",").index("TOTAL_PAID")
    order = sorted(range(len(lines)), key=lambda row: float(lines[row].split(",")[column] or 0))
    row = order[int(len(lines) * 0.9)]
    cells = lines[row].split(",")
    cells[column] = f"{float(cells[column]) * 1.001:.2f}"
    lines[row] = ",".join(cells)
    path.write_bytes(gzip.compress("\n".join([head, *lines, ""]).encode("cp1252")))
