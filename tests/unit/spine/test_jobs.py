"""What the Snakefile sets for all jobs, and the two names of a file that a storage provider keeps."""

import os
from pathlib import Path

import pytest

from riskflow.jobs import (
    CODE_FACTS_VARIABLE,
    COPIES_VARIABLE,
    KERNEL_VARIABLE,
    LEAN,
    local_copy,
    prepare_environment,
    workflow_path,
)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory in which a storage provider has put one file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(COPIES_VARIABLE, ".copies/bucket")
    copy = Path(".copies/bucket/results/demo.key")
    copy.parent.mkdir(parents=True)
    copy.write_text("key")
    return copy


def test_a_file_of_the_workflow_is_where_its_copy_is(storage: Path) -> None:
    assert local_copy(Path("results/demo.key")) == storage
    assert workflow_path(storage) == "results/demo.key"


def test_a_file_of_this_machine_is_where_it_says(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("notes.key", "/home/me/notes.key"):
        assert local_copy(Path(name)) == Path(name)
        assert workflow_path(Path(name)) == name
    monkeypatch.setenv(COPIES_VARIABLE, "")
    assert local_copy(Path("results/demo.key")) == Path("results/demo.key")


def test_jobs_work_as_they_are_told_unless_the_user_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored = (COPIES_VARIABLE, CODE_FACTS_VARIABLE, KERNEL_VARIABLE, *LEAN, "RISKFLOW_OWNER_PID")
    for name in ("PATH", "PYTHONPATH", *restored):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    before = os.umask(0o027)
    try:
        for name in (KERNEL_VARIABLE, *LEAN):
            monkeypatch.delenv(name)
        prepare_environment(tmp_path, "027", code_facts=Path("facts.json"))
        assert os.environ[KERNEL_VARIABLE] == "Haswell"
        assert os.environ[CODE_FACTS_VARIABLE] == str(Path.cwd() / "facts.json")
        assert {name: os.environ[name] for name in LEAN} == LEAN
        monkeypatch.setenv(KERNEL_VARIABLE, "Zen")
        prepare_environment(tmp_path, "027")
        assert os.environ[KERNEL_VARIABLE] == "Zen"
    finally:
        os.umask(before)
