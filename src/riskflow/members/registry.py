"""The run registry: what was run, from which content, and how it ended.

A run's id is a digest of its content (inputs, code, config), so that the same run has the same id on every
machine, and a group's id a digest of its definition: no counter, no race. Wall-clock facts lie beside them.
A run that dies cannot say so; its row names the process that owns it, and a started run without a living
owner is told as failed.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from riskflow import duck, provenance, resources
from riskflow.errors import RiskflowError
from riskflow.jobs import OWNER_VARIABLE
from riskflow.publish.warehouse import execute_script, transaction

CALCULATOR = "riskflow.members.engine"
_ID_LENGTH = 20


@dataclass(frozen=True)
class RunIdentity:
    """The content of a run, which its id is made of."""

    analysis_type: str
    model_version: str
    benefit_year: int
    inputs: Mapping[str, str]
    code: Mapping[str, str]
    config: Mapping[str, Any]
    calculator: str = CALCULATOR

    @property
    def run_id(self) -> str:
        """The run's id: the kind of run and a digest over everything in here."""
        return f"{self.analysis_type}-{_digest(vars(self))}"


@dataclass(frozen=True)
class Run:
    """A run as the registry records it; dates and descriptions are no part of the id."""

    identity: RunIdentity
    group_id: str
    group_description: str = ""
    run_description: str = ""
    data_effective: date | None = None
    trigger_source: str = "workflow"
    owner: Mapping[str, Any] = field(default_factory=lambda: this_process())


def group_id(description: str, members: Mapping[str, Any]) -> str:
    """Return the id of a group of runs: a digest over what the group is and what its runs are."""
    return f"group-{_digest([description, members])}"


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=_as_mapping)
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]


def _as_mapping(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a run's content must be JSON, not {type(value).__name__}")


@contextmanager
def recorded(database: Path, run: Run) -> Iterator[str]:
    """Record a run around a block: started, then completed, or failed when the block raises. Yields the run id."""
    run_id = start(database, run)
    try:
        yield run_id
    except BaseException:
        finish(database, run_id, "failed")
        raise
    finish(database, run_id, "completed")


def start(database: Path, run: Run) -> str:
    """Record that a run has started, and return its id; a run that starts again keeps its row and created_at."""
    with transaction(database) as connection:
        prepare(connection)
        settle_dead(connection)
        start_within(connection, run)
    return run.identity.run_id


def start_within(connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    """Record the start of a run inside a transaction."""
    identity, git = run.identity, provenance.git_state()
    values = {
        "run_id": identity.run_id,
        "now": _now(),
        "group_id": run.group_id,
        "group_description": run.group_description,
        "run_description": run.run_description,
        "analysis_type": identity.analysis_type,
        "calculator": identity.calculator,
        "model_version": identity.model_version,
        "benefit_year": identity.benefit_year,
        "data_effective": run.data_effective,
        "config": _json(identity.config),
        "inputs": _json({"data": dict(identity.inputs), "code": dict(identity.code)}),
        "git_branch": git["branch"],
        "git_commit": git["commit"],
        "git_clean": git["clean"],
        "git_commit_date": git["commit_date"],
        "trigger_source": run.trigger_source,
        "owner": _json(run.owner),
    }
    connection.execute(resources.text(__package__, "registry_start.sql"), values)


def finish(database: Path, run_id: str, status: str) -> None:
    """Record that a run has completed or failed."""
    with transaction(database) as connection:
        finish_within(connection, run_id, status)


def finish_within(connection: duckdb.DuckDBPyConnection, run_id: str, status: str) -> None:
    """Record the end of a run inside a transaction, together with what the run publishes."""
    found = connection.execute(
        resources.text(__package__, "registry_finish.sql"),
        {"run_id": run_id, "status": status, "now": _now()},
    ).fetchone()
    if found is None:
        raise RiskflowError(f"run {run_id} is not in the registry", "record its start first")


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the schemas, tables and views of the members track where they are absent."""
    execute_script(connection, resources.text(__package__, "warehouse_schema.sql"))
    if connection.execute(resources.text(__package__, "warehouse_kind.sql")).fetchone() == ("BASE TABLE",):
        execute_script(connection, resources.text(__package__, "warehouse_scores_from_json.sql"))
    execute_script(connection, resources.text(__package__, "warehouse_views.sql"))


def runs(database: Path) -> pl.DataFrame:
    """Return the registry, newest first; runs whose owner is dead are told as failed, without writing."""
    with duck.connect(database, read_only=True) as connection:
        table: pl.DataFrame = connection.sql(resources.text(__package__, "registry_runs.sql")).pl()
    status = [
        "failed" if row["status"] == "started" and is_dead(json.loads(row["owner"])) else row["status"]
        for row in table.select("status", "owner").iter_rows(named=True)
    ]
    return table.with_columns(pl.Series("status", status, dtype=pl.String))


def settle_dead(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Record started runs whose owner is dead as failed; return their ids."""
    started = connection.execute(resources.text(__package__, "registry_started.sql")).fetchall()
    dead = [str(run_id) for run_id, owner in started if is_dead(json.loads(owner))]
    for run_id in dead:
        finish_within(connection, run_id, "failed")
    return dead


def this_process() -> dict[str, Any]:
    """Return the process that owns the runs of this workflow: that of RISKFLOW_OWNER_PID, or this one."""
    pid = int(os.environ.get(OWNER_VARIABLE) or os.getpid())
    return {"host": socket.gethostname(), "boot": _boot_id(), "pid": pid, "began": _began(pid)}


def is_dead(owner: Mapping[str, Any]) -> bool:
    """Return whether the owner is known to be dead; a process of another machine cannot be judged."""
    if owner.get("host") != socket.gethostname():
        return False
    if owner.get("boot") != _boot_id():
        return True
    began = _began(int(owner["pid"]))
    return began is None or began != owner.get("began")


def _began(pid: int) -> str | None:
    """Return when a process began, in clock ticks since boot, or null when it is not alive."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self/stat").exists() or not _answers(pid) else ""
    return None if fields[0] in ("Z", "X") else fields[19]


def _answers(pid: int) -> bool:
    """Return whether a process exists, on systems without /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _boot_id() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, default=_as_mapping)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
