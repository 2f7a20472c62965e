"""Stage: give a scoring run its id and record that it has started, before anything is scored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from riskflow import artifacts
from riskflow.config.members_runs import MembersRecordStage, MembersRunsSection
from riskflow.contracts.members_runs import RUN
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.errors import RiskflowError
from riskflow.members.registry import Run, RunIdentity, group_id, start
from riskflow.provenance import fingerprint
from riskflow.receipts import Receipt


def run(
    *,
    spans: Path,
    diagnoses: Path,
    drugs: Path,
    tables: list[Path],
    program: Path,
    warehouse_file: Path,
    output: Path,
    config: MembersRecordStage,
    eligible: Path | None = None,
) -> Receipt:
    """Write the run's identity and its started row.

    `program` scores, `tables` are the files of one CMS set, `eligible` the user's list of eligible codes, if any.
    """
    identity = scoring_identity(spans, diagnoses, drugs, tables[0].parent, program, eligible)
    effective = artifacts.read(diagnoses, DIAGNOSES, ["service_date"])["service_date"].max()
    artifacts.write(identity_row(identity, effective if isinstance(effective, date) else None), output, RUN)
    for one in runs_of(output, config.runs):
        start(warehouse_file, one)
    return Receipt(counts={"runs": 1}, facts={"run_id": identity.run_id})


def scoring_identity(
    spans: Path, diagnoses: Path, drugs: Path, tables: Path, program: Path, eligible: Path | None = None
) -> RunIdentity:
    """Return the identity of scoring three validated tables by one CMS set with one program."""
    about = json.loads((tables / "set.json").read_text(encoding="utf-8"))
    inputs = {
        "spans": artifacts.checked(spans, SPANS).digest,
        "diagnoses": artifacts.checked(diagnoses, DIAGNOSES).digest,
        "drugs": artifacts.checked(drugs, DRUGS).digest,
    }
    inputs |= {
        f"cms.{path.stem}": artifacts.content_digest(path) for path in sorted(tables.glob("*.parquet"))
    }
    if eligible is not None:
        inputs["eligible_codes"] = hashlib.sha256(eligible.read_bytes()).hexdigest()
    return RunIdentity(
        analysis_type="scoring",
        model_version=about["model_version"],
        benefit_year=int(about["benefit_year"]),
        inputs=inputs,
        code=fingerprint(program),
        config={"benefit_year": about["benefit_year"], "vintage": about["vintage"]},
    )


def identity_row(identity: RunIdentity, effective: date | None) -> pl.DataFrame:
    """Return a run's identity as the one row of a RUN artifact."""
    inputs = {"data": dict(identity.inputs), "code": dict(identity.code)}
    row = {
        "run_id": identity.run_id,
        "analysis_type": identity.analysis_type,
        "calculator": identity.calculator,
        "model_version": identity.model_version,
        "benefit_year": identity.benefit_year,
        "data_effective": effective,
        "config": json.dumps(dict(identity.config), sort_keys=True),
        "inputs": json.dumps(inputs, sort_keys=True),
    }
    return pl.DataFrame([row], schema=RUN.schema)


def runs_of(path: Path, section: MembersRunsSection) -> list[Run]:
    """Return the runs of a RUN artifact, as the registry records them."""
    return [_run_of(row, section) for row in artifacts.read(path, RUN).iter_rows(named=True)]


def _run_of(row: Mapping[str, Any], section: MembersRunsSection) -> Run:
    inputs = json.loads(row["inputs"])
    identity = RunIdentity(
        analysis_type=row["analysis_type"],
        model_version=row["model_version"],
        benefit_year=row["benefit_year"],
        inputs=inputs["data"],
        code=inputs["code"],
        config=json.loads(row["config"]),
        calculator=row["calculator"],
    )
    if identity.run_id != row["run_id"]:
        raise RiskflowError(
            "a run artifact names a run that is not the one it describes", "delete it and run again"
        )
    return Run(
        identity,
        group_id=group_id(section.group, {}),
        group_description=section.group,
        run_description=section.description,
        data_effective=row["data_effective"],
        trigger_source=section.trigger,
    )
