"""Scored runs of other days: looked up in the warehouse by run id, as artifacts that a comparison can read.

As a stage it writes one such run's scores and identity; the decompositions look up the runs that they name.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

import duckdb
import polars as pl

from riskflow import artifacts, resources
from riskflow.contracts.members_runs import RUN
from riskflow.contracts.members_scores import SCORES
from riskflow.errors import RiskflowError
from riskflow.publish.warehouse import transaction
from riskflow.receipts import Receipt


def run(*, wanted: str, warehouse_file: Path, output: Path, run_output: Path) -> Receipt:
    """Write the scores (SCORES) and the identity (RUN) of the run in the warehouse that `wanted` names or begins."""
    identity, scores = stored_run(warehouse_file, wanted)
    artifacts.write(scores, output, SCORES)
    artifacts.write(identity, run_output, RUN)
    return Receipt(counts={"scores": scores.height}, facts={"run_id": identity["run_id"].item()})


def stored_run(warehouse: Path, wanted: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the RUN row and the SCORES of a published scoring run; `wanted` is its id or the beginning of it."""
    if not warehouse.is_file():
        raise RiskflowError(f"run {wanted}: there is no warehouse {warehouse} to find it in")
    with transaction(warehouse) as connection:
        try:
            runs: pl.DataFrame = connection.sql(resources.text(__package__, "earlier_runs.sql")).pl()
        except duckdb.CatalogException:
            raise RiskflowError(f"run {wanted}: {warehouse} holds no run of the members track") from None
        run_id = named(wanted, runs["run_id"], f"scored runs in {warehouse}")
        query = resources.text(__package__, "earlier_scores.sql")
        found: pl.DataFrame = connection.sql(query, params={"run_id": run_id}).pl()
    identity = runs.filter(run_id=run_id).select(*RUN.schema).cast(dict(RUN.schema))  # type: ignore[arg-type]
    return identity, found.select(*SCORES.schema).cast(dict(SCORES.schema))  # type: ignore[arg-type]


def named(wanted: str, known: Iterable[str], what: str) -> str:
    """Return the one known name that `wanted` is, or is the beginning of; else say which comes nearest."""
    names = sorted(set(known))
    found = [name for name in names if name == wanted] or [name for name in names if name.startswith(wanted)]
    if len(found) == 1 and wanted:
        return found[0]
    if found:
        raise RiskflowError(
            f"run {wanted}: more than one of the {what} begins so", f"write one of: {', '.join(found[:5])}"
        )
    nearest = get_close_matches(wanted, names, n=1, cutoff=0.0)
    raise RiskflowError(
        f"run {wanted}: not among the {len(names)} {what}",
        f"the nearest is {nearest[0]}" if nearest else "none has been published yet",
    )
