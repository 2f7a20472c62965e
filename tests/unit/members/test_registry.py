import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskflow.errors import RiskflowError
from riskflow.members import registry
from riskflow.members.registry import (
    Run,
    RunIdentity,
    finish,
    group_id,
    is_dead,
    recorded,
    runs,
    start,
    this_process,
)

IDENTITY = RunIdentity(
    analysis_type="scoring",
    model_version="V07",
    benefit_year=2025,
    inputs={"spans": "a1", "diagnoses": "b2"},
    code={"riskflow.members.engine.score": "c3"},
    config={"benefit_year": 2025, "vintage": "latest"},
)
RUN = Run(
    IDENTITY,
    group_id="g",
    group_description="nightly",
    run_description="demo",
    data_effective=date(2025, 12, 31),
)


@pytest.fixture
def database(tmp_path):
    return tmp_path / "warehouse.duckdb"


def only(database):
    table = runs(database)
    assert table.height == 1
    return table.row(0, named=True)


def test_a_run_is_recorded_with_all_its_facts(database):
    with recorded(database, RUN) as run_id:
        assert only(database)["status"] == "started"
    row = only(database)
    assert row["run_id"] == run_id == IDENTITY.run_id
    assert (row["status"], row["analysis_type"], row["benefit_year"]) == ("completed", "scoring", 2025)
    assert row["data_effective"] == date(2025, 12, 31)
    assert set(row) >= {
        "git_branch",
        "git_commit",
        "git_clean",
        "git_commit_date",
        "trigger_source",
        "config",
    }


def test_recording_twice_keeps_one_row_and_its_creation(database):
    with recorded(database, RUN):
        pass
    first = only(database)
    with recorded(database, RUN):
        pass
    second = only(database)
    assert second["created_at"] == first["created_at"]
    assert second["updated_at"] > first["updated_at"]


def test_a_run_that_raises_is_failed(database):
    with pytest.raises(ValueError, match="boom"), recorded(database, RUN):
        raise ValueError("boom")
    assert only(database)["status"] == "failed"


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": {"spans": "other", "diagnoses": "b2"}},
        {"code": {"riskflow.members.engine.score": "d4"}},
        {"config": {"benefit_year": 2025, "vintage": "final"}},
        {"benefit_year": 2024},
        {"analysis_type": "comparison"},
    ],
)
def test_other_content_is_another_run(change):
    assert replace(IDENTITY, **change).run_id != IDENTITY.run_id


@given(st.permutations(["spans", "diagnoses", "drugs"]))
def test_the_order_of_mappings_does_not_matter(order):
    inputs = {name: name[0] for name in order}
    assert (
        replace(IDENTITY, inputs=inputs).run_id
        == replace(IDENTITY, inputs=dict(sorted(inputs.items()))).run_id
    )


def test_groups_are_the_same_for_the_same_definition():
    assert group_id("factorial", {"a": 1, "b": 2}) == group_id("factorial", {"b": 2, "a": 1})
    assert group_id("factorial", {"a": 1}) != group_id("factorial", {"a": 2})


def test_content_that_is_not_json_is_refused():
    with pytest.raises(TypeError, match="must be JSON"):
        _ = replace(IDENTITY, config={"path": Path("x")}).run_id


KILLED = """
import os, sys
from pathlib import Path
from riskflow.members import registry
from tests.unit.members.test_registry import child_run
registry.start(Path(sys.argv[1]), child_run())
print("started", flush=True)
sys.stdin.read()
"""


def child_run():
    """Built anew in the child, so that the child is the owner."""
    return Run(IDENTITY, group_id="g")


def test_a_killed_run_is_seen_as_failed_and_settled_by_the_next(database):
    root = Path(__file__).parents[3]
    environment = {k: v for k, v in os.environ.items() if k != registry.OWNER_VARIABLE}
    environment["PYTHONPATH"] = f"{root}:{root / 'src'}"
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert child.stdout.readline() == "started\n"
    assert only(database)["status"] == "started"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert only(database)["status"] == "failed"
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.execute("select status from main_runs.run_registry").fetchone() == ("started",)
    start(database, replace(RUN, identity=replace(IDENTITY, benefit_year=2024)))
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "select benefit_year, status from main_runs.run_registry order by 1"
        ).fetchall()
    assert rows == [(2024, "started"), (2025, "failed")]


def test_owners_elsewhere_cannot_be_judged_and_a_reused_pid_is_dead():
    me = this_process()
    assert not is_dead(me)
    assert not is_dead(me | {"host": "elsewhere", "pid": 1})
    assert is_dead(me | {"began": "0"})
    assert is_dead(me | {"boot": "another boot"})
    assert is_dead(me | {"pid": 2**22 + 1})


def test_the_owner_is_the_workflow_when_it_says_so(monkeypatch):
    monkeypatch.setenv(registry.OWNER_VARIABLE, str(os.getppid()))
    assert this_process()["pid"] == os.getppid()


def test_runs_started_at_once_all_get_their_row(database):
    many = [replace(RUN, identity=replace(IDENTITY, config={"n": n})) for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda run: start(database, run), many))
    assert set(runs(database)["run_id"]) == set(ids)
    assert len(set(ids)) == 8


def test_finishing_an_unknown_run_is_an_error(database):
    start(database, RUN)
    with pytest.raises(RiskflowError, match="not in the registry"):
        finish(database, "scoring-none", "completed")
    assert only(database)["status"] == "started"
