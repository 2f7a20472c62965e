"""What is known about one member after a run: the trace of the score, from the run's artifacts. No printing here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from riskflow import artifacts
from riskflow.contracts.members_runs import RUN
from riskflow.contracts.members_scores import SCORES
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.errors import RiskflowError
from riskflow.members.engine.eligibility import eligible_codes, with_eligibility
from riskflow.members.explain import Explanation, explain
from riskflow.members.tables.load import folder, load
from riskflow.receipts import load as load_receipt

DATA_SETS = ("current", "prior")
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Dossier:
    """A member in one run: `run` is the RUN row, `stored` the published scores, `explanation` how they came about.

    `agrees`: whether the trace ends in the stored scores; it does not when results and code are of two versions.
    """

    run: Mapping[str, Any]
    data_set: str
    stored: pl.DataFrame
    explanation: Explanation
    agrees: bool


def dossier(member_id: str, results: Path, run: str = "") -> Dossier:
    """Return the dossier of a member; `run` is a run id, the beginning of one, or a data set (current, prior)."""
    base = results / "members"
    data_set, row = chosen_run(base, run)
    place = base / data_set
    config = json.loads(row["config"])
    tables = load(folder(int(config["benefit_year"]), config["vintage"]))
    spans, diagnoses, drugs = (
        artifacts.scan(place / f"{name}.parquet", contract).filter(pl.col("member_id") == member_id).collect()
        for name, contract in (("spans", SPANS), ("diagnoses", DIAGNOSES), ("drugs", DRUGS))
    )
    traced = explain(member_id, spans, with_eligibility(diagnoses, _eligible(base, data_set)), drugs, tables)
    path = scores_file(base, data_set)
    stored = artifacts.scan(path, SCORES).filter(pl.col("member_id") == member_id).collect()
    return Dossier(row, data_set, stored, traced, _agree(stored, traced.spans))


def chosen_run(base: Path, run: str) -> tuple[str, dict[str, Any]]:
    """Return the data set and RUN row that a person means; empty: this year's."""
    there = {
        name: artifacts.read(base / name / "run.parquet", RUN).row(0, named=True)
        for name in DATA_SETS
        if (base / name / "run.parquet").exists()
    }
    if not there:
        raise RiskflowError(
            f"no run of the members track in {base}", "run `snakemake --cores 2 members` first"
        )
    wanted = run or DATA_SETS[0]
    if wanted in there:
        return wanted, there[wanted]
    found = [name for name, row in there.items() if row["run_id"].startswith(wanted)]
    if len(found) != 1:
        listed = ", ".join(f"{row['run_id']} ({name})" for name, row in there.items())
        told = "more than one run begins so" if found else f"no such run in {base}"
        raise RiskflowError(f"run {wanted}: {told}", f"there are: {listed}")
    return found[0], there[found[0]]


def scores_file(base: Path, data_set: str) -> Path:
    """Return where the scores of a data set are: this year's are the track's result."""
    return base / "scores.parquet" if data_set == "current" else base / data_set / "scores.parquet"


def _eligible(base: Path, data_set: str) -> pl.Series | None:
    """Return the eligible procedure codes that the run was scored with, if it had a list."""
    receipts = sorted((base / "receipts" / f"score_{data_set}").glob("*.json"))
    params = load_receipt(receipts[0]).params if receipts else {}
    listed = json.loads(params.get("config.model.eligible_codes", '""'))
    return eligible_codes(Path(listed)) if listed else None


def _agree(stored: pl.DataFrame, traced: pl.DataFrame) -> bool:
    both = stored.select("span_id", "csr_adjusted_score").join(
        traced.select("span_id", pl.col("csr_adjusted_score").alias("again")),
        on="span_id",
        how="full",
        coalesce=True,
    )
    off = both.select((pl.col("csr_adjusted_score") - pl.col("again")).abs().fill_null(1.0).max()).item()
    return both.height > 0 and off < TOLERANCE
