"""The run registry: an id that follows from what was run, and the facts behind it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from riskflow.artifacts import Artifact
from riskflow.provenance import git_state
from riskflow.publish.warehouse import execute_script
from riskflow.receipts import Receipt, load
from riskflow.resources import text


@dataclass(frozen=True)
class RunFacts:
    """One row of run_registry; config, code and data are JSON texts."""

    run_id: str
    track: str
    method: str
    rows: int
    config: str
    code: str
    data: str
    git_branch: str
    git_commit: str
    git_commit_date: str
    git_clean: bool


def run_facts(track: str, method: str, result: Artifact, receipts: Iterable[Path]) -> RunFacts:
    """Return the facts of a run from the receipts of its stages.

    The run id is a hash of track, method, config, code and the digests of result and sources: the same run
    has the same id, whenever and wherever it is made.
    """
    config, code, data = (json.dumps(part, sort_keys=True) for part in _what_ran(map(load, sorted(receipts))))
    identity = json.dumps([track, method, config, code, data, result.digest])
    git = git_state()
    return RunFacts(
        run_id=hashlib.sha256(identity.encode()).hexdigest()[:16],
        track=track,
        method=method,
        rows=result.rows,
        config=config,
        code=code,
        data=data,
        git_branch=str(git["branch"]),
        git_commit=str(git["commit"]),
        git_commit_date=str(git["commit_date"]),
        git_clean=bool(git["clean"]),
    )


def _what_ran(receipts: Iterable[Receipt]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Return config keys, module hashes and source digests; not how the work was cut, which changes no result."""
    config: dict[str, str] = {}
    code: dict[str, str] = {}
    data: dict[str, str] = {}
    for receipt in receipts:
        for name, value in receipt.params.items():
            kind, _, key = name.partition(".")
            if kind == "code":
                code[key] = value
            elif kind == "config" and not key.startswith("shards."):
                config[key] = value
            elif kind == "data" and receipt.stage.removesuffix(".stage").endswith("ingest"):
                data[key] = value
    return config, code, data


def register(connection: duckdb.DuckDBPyConnection, facts: RunFacts) -> None:
    """Write the run's row, inside the connection's transaction."""
    package = __package__ or ""
    execute_script(connection, text(package, "run_registry.sql"))
    execute_script(connection, text(package, "register.sql"), asdict(facts))
