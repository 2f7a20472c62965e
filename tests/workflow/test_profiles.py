"""Every profile is one that Snakemake reads, with keys that it knows; retries are only in profiles for clusters."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from snakemake.cli import parse_args

from tests.paths import REPOSITORY
from tests.workflow.harness import Workspace, executed

PROFILES = sorted(path.parent.name for path in (REPOSITORY / "profiles").glob("*/config.yaml"))
CLUSTERS = [name for name in PROFILES if name != "default"]
RULES = re.compile(r"^(?:rule|checkpoint) (\w+):", re.MULTILINE)


def keys(name: str) -> dict:
    content: dict = yaml.safe_load((REPOSITORY / "profiles" / name / "config.yaml").read_text())
    return content


@pytest.mark.parametrize("name", PROFILES)
def test_snakemake_knows_every_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    _, arguments = parse_args(["--profile", f"profiles/{name}"])
    for key, value in keys(name).items():
        found = getattr(arguments, key.replace("-", "_"))
        if not isinstance(value, dict | list) and value != "none":
            assert str(value).strip() in str(found), key


def test_an_unknown_key_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    (tmp_path / "config.yaml").write_text("executor: slurm\nslurm-nonsense: true\n")
    with pytest.raises((SystemExit, AttributeError)):
        _, arguments = parse_args(["--profile", str(tmp_path)])
        _ = arguments.slurm_nonsense


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_cluster_retries(name: str) -> None:
    assert keys(name)["retries"] >= 1


def test_nothing_retries_on_this_machine() -> None:
    assert "retries" not in keys("default")
    for path in (REPOSITORY / "workflow" / "rules").glob("*.smk"):
        assert not re.search(r"^\s+retries:", path.read_text(), re.MULTILINE), path.name


def test_groups_name_rules_that_there_are() -> None:
    texts = [path.read_text() for path in (REPOSITORY / "workflow" / "rules").glob("*.smk")]
    rules = {name for text in texts for name in RULES.findall(text)}
    assert set(keys("slurm")["groups"]) <= rules


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_key_has_its_comment(name: str) -> None:
    lines = (REPOSITORY / "profiles" / name / "config.yaml").read_text().splitlines()
    bare = [line for above, line in pairwise(lines) if line[:1].isalpha() and not above.startswith("#")]
    assert bare == []


@pytest.mark.slow
def test_a_job_by_any_submit_command_makes_the_same_bytes(workspace: Workspace) -> None:
    """Remote mode without a cluster: the submit command is a shell."""
    target = "results/providers/exclusion_candidates.parquet"
    expected = (workspace.folder / target).read_bytes()
    (workspace.folder / target).unlink()
    run = workspace.snakemake("--profile", "profiles/generic", "--cluster-generic-submit-cmd", "bash", target)
    assert run.status == 0, run.text
    assert executed(run.text) == {"providers_matching": 2}, "said by the job's own Snakemake, and by ours"
    assert (workspace.folder / target).read_bytes() == expected
