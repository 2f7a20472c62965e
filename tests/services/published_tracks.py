"""Artifacts of the members and notes tracks to publish: few rows, every table, made of numbers of the row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl

from riskflow import artifacts
from riskflow.contracts import members_runs as runs
from riskflow.contracts.base import Contract
from riskflow.contracts.members_scores import REJECTED, SCORES
from riskflow.contracts.members_sources import SPANS
from riskflow.contracts.notes_redacted import LEAKS, PSEUDONYM_LETTERS
from riskflow.members.record import identity_row
from riskflow.members.registry import RunIdentity
from riskflow.notes.publish import BATCH
from riskflow.receipts import Receipt
from tests.services.published import DAY

NUMBER = pl.int_range(pl.len(), dtype=pl.Int64)
EVIL = "'; DROP TABLE x; -- \\N {} $1 \"é"
FIXED: dict[str, Any] = {
    "member_id": pl.format("m{}", NUMBER),
    "span_id": pl.format("s{}", NUMBER),
    "sex": "F",
    "metal": "silver",
    "model": "adult",
    "market": "individual",
    "benefit_year": 2025,
    "age_last": 40,
    "enrolled_days": 365,
    "member_months": 12.0,
    "enrolment_duration": 12,
    "raw_score": NUMBER / 7,
    "csr_factor": 1.5,
    "csr_adjusted_score": NUMBER / 7 * 1.5,
    "variables": pl.concat_list([pl.lit("HCC001"), pl.lit('A"b')]),
    "coefficients": pl.concat_list([NUMBER / 14, NUMBER / 14]),
    "csr_indicator": NUMBER % 13,
    "date_of_birth": dt.date(1980, 2, 29),
    "enrolment_start": dt.date(2025, 1, 1),
    "enrolment_end": dt.date(2025, 12, 31),
    "kind": pl.when(NUMBER % 2 == 0).then(pl.lit("diagnosis")).otherwise(pl.lit("drug")),
    "reason": "age_edit",
    "code": EVIL,
    "match_status": "matched",
    "method": "factorial",
    "weight": "members",
    "metric": "mean",
    "pool": "metal",
    "definition": '{"a": [1, "x"]}',
    "settings": '{"b": null}',
}


def filled(contract: Contract, rows: int, **values: Any) -> pl.DataFrame:
    """Return rows of a contract: given values, else those that fit its usual columns, else the row's number."""
    columns = FIXED | values
    frame = pl.select(pl.int_range(rows, dtype=pl.Int64).alias("number"))
    return frame.select(
        _typed(columns.get(name, _usual(name, col.dtype)), col.dtype).alias(name)
        for name, col in contract.columns.items()
    )


def _typed(value: Any, dtype: Any) -> pl.Expr:
    expression = value if isinstance(value, pl.Expr) else pl.lit(value)
    return expression.cast(dtype)


def _usual(name: str, dtype: Any) -> pl.Expr:
    number = pl.col("number")
    if dtype == pl.String:
        return pl.format(name + " {}", number)
    if dtype == pl.Boolean:
        return number % 2 == 0
    if dtype == pl.Date:
        return pl.lit(dt.date(2025, 1, 1)) + pl.duration(days=number)
    return number + 1


def _run(folder: Path, kind: str, year: int, **config: str) -> tuple[Path, str]:
    identity = RunIdentity(
        analysis_type=kind,
        model_version="V07",
        benefit_year=year,
        inputs={"spans": f"{kind}{year}"},
        code={"riskflow.members.engine": "abc"},
        config={"benefit_year": year, **config},
    )
    path = folder / f"{kind}_{year}.parquet"
    artifacts.write(identity_row(identity, dt.date(year, 12, 30)), path, runs.RUN)
    return path, identity.run_id


def members(folder: Path, rows: int = 30, *, factor: float = 1.5, day: int = 1) -> dict[str, Any]:
    """Write all artifacts of a members run and a receipt; return them as the stage wants them."""
    current, run_b = _run(folder, "scoring", 2025)
    prior, run_a = _run(folder, "scoring", 2024)
    comparison, _ = _run(folder, "comparison", 2025, run_id_a=run_a, run_id_b=run_b, population="union")
    decomposition, _ = _run(folder, "decomposition", 2025)
    paying_or_not = pl.when(NUMBER % 2 == 0).then(pl.lit("code_without_hcc")).otherwise(pl.lit("sex_edit"))
    scores = {"csr_factor": factor, "csr_adjusted_score": NUMBER / 7 * factor}
    frames = {
        "scores": (SCORES, filled(SCORES, rows, **scores)),
        "rejected": (REJECTED, filled(REJECTED, rows // 2, reason=paying_or_not, code=NUMBER)),
        "spans": (SPANS, filled(SPANS, rows)),
        "transfers": (runs.TRANSFERS, filled(runs.TRANSFERS, 4, av=factor)),
        "pools": (runs.TRANSFER_POOLS, filled(runs.TRANSFER_POOLS, 2)),
        "prior_scores": (SCORES, filled(SCORES, rows, benefit_year=2024)),
        "prior_rejected": (REJECTED, filled(REJECTED, 0)),
        "prior_spans": (SPANS, filled(SPANS, rows)),
        "comparison_members": (runs.COMPARISON, filled(runs.COMPARISON, rows)),
        "effects": (runs.DECOMPOSITION, filled(runs.DECOMPOSITION, 5, low=None)),
        "definitions": (runs.DEFINITIONS, filled(runs.DEFINITIONS, 2)),
        "scenarios": (runs.SCENARIOS, filled(runs.SCENARIOS, 3)),
    }
    paths = {name: folder / f"{name}.parquet" for name in frames}
    for name, (contract, frame) in frames.items():
        artifacts.write(frame, paths[name], contract)
    receipt = Receipt(stage="members.merge", run={"started": DAY.replace(day=day).isoformat()})
    receipt.write(folder / "merge.json")
    return {
        "current": current,
        "current_tables": [paths[n] for n in ("scores", "rejected", "spans", "transfers", "pools")],
        "prior": prior,
        "prior_tables": [paths[f"prior_{n}"] for n in ("scores", "rejected", "spans")],
        "comparison": comparison,
        "comparison_tables": [paths["comparison_members"]],
        "decomposition": decomposition,
        "decomposition_tables": [paths[n] for n in ("effects", "definitions", "scenarios")],
        "receipts": [folder / "merge.json"],
    }


def pseudonym(kind: int, number: pl.Expr) -> pl.Expr:
    """Return pseudonyms of sixteen letters that tell kinds and numbers apart."""
    letters = pl.lit(PSEUDONYM_LETTERS)
    digits = [letters.str.slice((number // 20**place) % 20, 1) for place in range(15)]
    return pl.concat_str([pl.lit(PSEUDONYM_LETTERS[kind]), *digits])


def notes(
    folder: Path, patients: int = 10, *, shift: int = 0, text: str = EVIL, day: int = 1
) -> dict[str, Any]:
    """Write a batch of three encounters per patient and two observations per encounter; return it with its gate."""
    number = pl.col("number") + shift
    person, visit = {"patient_id": pseudonym(0, number)}, {"encounter_id": pseudonym(1, number)}
    codes = pl.concat_list([pl.lit("a,b"), pl.lit('"'), pl.lit(None, pl.String)])
    ids = ("organization_id", "participant_id", "facility_id", "service_provider_id", "performer_id")
    nobody: dict[str, Any] = dict.fromkeys(ids)
    born = {"birth_year": 1950, "death_year": None, "over_89": False, "zip3": "900", "birth_date": None}
    year = {"start_year": 2020, "effective_year": 2020}
    whose = {"patient_id": pseudonym(0, number // 3 + shift - shift // 3)}
    visited = {
        "observation_id": pseudonym(2, number),
        "patient_id": pseudonym(0, pl.col("number") // 6 + shift),
        "encounter_id": pseudonym(1, pl.col("number") // 2 + shift),
    }
    note = {"note_status": "redacted", "note_reason": None, "note": pl.format("{} {}", pl.lit(text), number)}
    whose = {"patient_id": pseudonym(0, pl.col("number") // 3 + shift)}
    frames = {
        "patients": filled(BATCH["patients"], patients, **nobody, **born, **person),
        "encounters": filled(
            BATCH["encounters"], patients * 3, **nobody, **year, **visit, **whose, diagnosis_codes=codes
        ),
        "observations": filled(BATCH["observations"], patients * 6, **nobody, **year, **visited, **note),
        "audit": filled(
            BATCH["audit"],
            patients * 6,
            kind="NAME",
            observation_id=visited["observation_id"],
            value_hash="0123456789abcdef" * 2,
        ),
        "quarantine": filled(BATCH["quarantine"], 3, row='{"a": 1}'),
    }
    paths = {name: folder / f"{name}.parquet" for name in frames}
    for name, frame in frames.items():
        artifacts.write(frame, paths[name], BATCH[name])
    artifacts.write(LEAKS.empty(), folder / "leaks.parquet", LEAKS)
    read = [
        artifacts.checked(paths[name], BATCH[name]) for name in ("patients", "encounters", "observations")
    ]
    started = {"started": DAY.replace(day=day).isoformat()}
    Receipt(stage="notes.gate", inputs=read, run=started).write(folder / "gate.json")
    all_read = [artifacts.checked(path, BATCH[name]) for name, path in paths.items()]
    Receipt(stage="notes.publish", inputs=all_read, run=started).write(folder / "publish.json")
    return {
        **paths,
        "findings": folder / "leaks.parquet",
        "gate": folder / "gate.json",
        "published": folder / "publish.json",
        "receipts": [folder / "gate.json"],
    }
