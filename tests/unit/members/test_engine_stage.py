"""The stage that scores one shard: files in, files out, a receipt; the same bytes again."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskflow import artifacts
from riskflow.config.members import MembersModelSection, MembersScoreStage
from riskflow.contracts.members_scores import REJECTED, SCORES
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.errors import RiskflowError
from riskflow.members.engine import stage
from riskflow.members.engine.stage import run
from riskflow.members.tables import load
from tests.unit.members.member_frames import frames, person

SCORE = Path(__file__).resolve().parents[3] / "workflow" / "scripts" / "members_score.py"


def config(**model):
    return MembersScoreStage(model=MembersModelSection(benefit_year=2025, **model))


@pytest.fixture
def shard(tmp_path):
    """A shard's artifacts with two members, one of whom has professional and inpatient claims."""
    people = {
        "a": person("F", date(1980, 1, 1), diagnoses=["E1165", "J00"], drugs=["J0741"]),
        "b": person("M", date(2025, 3, 1), first=date(2025, 3, 1), diagnoses=["Z3800"]),
    }
    spans, diagnoses, drugs = frames(people)
    spans = spans.with_columns(family_id=pl.col("member_id"), premium=pl.lit(400.0))
    diagnoses = diagnoses.with_columns(
        claim_kind=pl.when(pl.col("member_id") == "a")
        .then(pl.lit("professional"))
        .otherwise(pl.lit("inpatient")),
        bill_type=pl.when(pl.col("member_id") == "b").then(pl.lit("111")),
        procedure=pl.when(pl.col("code") == "E1165").then(pl.lit("99213")),
    )
    drugs = drugs.with_columns(service_date=date(2025, 5, 5))
    for name, frame, contract in (
        ("spans", spans, SPANS),
        ("diagnoses", diagnoses, DIAGNOSES),
        ("drugs", drugs, DRUGS),
    ):
        artifacts.write(frame.select(list(contract.columns)), tmp_path / f"{name}.parquet", contract)
    return {
        "spans": tmp_path / "spans.parquet",
        "diagnoses": tmp_path / "diagnoses.parquet",
        "drugs": tmp_path / "drugs.parquet",
        "tables": load.files(2025),
        "output": tmp_path / "scores.parquet",
        "rejected": tmp_path / "rejected.parquet",
    }


def test_scores_and_rejected_rows_of_a_shard(shard):
    receipt = run(**shard, config=config())
    scores = artifacts.read(shard["output"], SCORES)
    assert scores.select("member_id", "model", "variables").rows() == [
        ("a", "adult", ["FAGE_LAST_45_49", "G01", "RXC_01"]),
        ("b", "infant", ["AGE0_MALE", "TERM_X_SEVERITY1"]),
    ]
    rejected = artifacts.read(shard["rejected"], REJECTED)
    assert rejected.select("member_id", "code").rows() == [("a", "J00")]
    assert receipt.counts == {
        "spans": 2,
        "scored": 2,
        "diagnoses": 3,
        "diagnoses_counted": 2,
        "drugs": 1,
        "drugs_counted": 1,
    }
    assert receipt.facts["not_counted"] == {"diagnosis: code_without_hcc": 1}
    assert "third release" in receipt.facts["tables"]
    assert "no list of eligible codes" in receipt.facts["claim_filter"]


def test_a_list_of_eligible_codes_filters_professional_claims(shard, tmp_path):
    codes = tmp_path / "codes.txt"
    codes.write_text("99214\n")
    receipt = run(**shard, config=config(eligible_codes=str(codes)))
    assert receipt.facts["not_counted"]["diagnosis: claim_not_eligible"] == 2
    assert "user's list" in receipt.facts["claim_filter"]
    codes.write_text("99213\n")
    receipt = run(**shard, config=config(eligible_codes=str(codes)))
    assert receipt.facts["not_counted"]["diagnosis: claim_not_eligible"] == 1


def test_the_same_shard_gives_the_same_bytes(shard):
    run(**shard, config=config())
    first = [shard[name].read_bytes() for name in ("output", "rejected")]
    run(**shard, config=config())
    assert [shard[name].read_bytes() for name in ("output", "rejected")] == first


def test_slices_change_no_byte_and_evidence_of_members_without_a_span_is_told(shard, monkeypatch):
    claims = artifacts.read(shard["diagnoses"], DIAGNOSES)
    strangers = [claims.head(1).with_columns(member_id=pl.lit(name)) for name in ("0", "aa", "z")]
    artifacts.write(pl.concat([claims, *strangers]), shard["diagnoses"], DIAGNOSES)
    receipt = run(**shard, config=config())
    assert receipt.counts["diagnoses"] == 6
    assert receipt.facts["not_counted"]["diagnosis: member_not_enrolled"] == 3
    first = [shard[name].read_bytes() for name in ("output", "rejected")]
    monkeypatch.setattr(stage, "SLICE_SPANS", 1)
    assert run(**shard, config=config()).counts == receipt.counts
    assert [shard[name].read_bytes() for name in ("output", "rejected")] == first


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 9))
def test_slices_hold_every_span_once_and_own_every_member_once(members, rows):
    ids = pl.Series("member_id", sorted(f"{one:02d}" for one in members), dtype=pl.String)
    parts = list(stage.slices(ids, rows))
    assert pl.concat(ids.slice(part.start, part.length) for part in parts).equals(ids)
    owners = pl.DataFrame({"member_id": [f"{one:02d}" for one in range(32)]}).select(
        part.owns.cast(pl.Int64).alias(str(number)) for number, part in enumerate(parts)
    )
    assert set(owners.sum_horizontal()) == {1}
    for part in parts:
        covered = ids.slice(part.start, part.length).to_frame()
        assert covered.filter(part.owns).equals(covered)


def test_tables_of_another_year_than_the_config_asks_for_are_an_error(shard):
    with pytest.raises(RiskflowError, match=r"tables given are of 2024 \(alt\), the config asks for 2025"):
        run(**shard | {"tables": load.files(2024)}, config=config())
    with pytest.raises(RiskflowError, match="asks for 2025 \\(diy\\)"):
        run(**shard, config=config(vintage="diy"))


def test_the_stage_runs_as_a_program_without_pandas(shard, tmp_path):
    """pyarrow's array() imports pandas where it is installed, for a third of a second."""
    options = []
    for name, value in shard.items():
        options += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    params = [
        "config.model.benefit_year=2025",
        'config.model.vintage="alt"',
        'config.model.eligible_codes=""',
    ]
    receipt = tmp_path / "receipt.json"
    words = [str(SCORE), *options, "--receipt", str(receipt), "--params", *params]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "polars" in imported and "pandas" not in imported
    facts = json.loads(receipt.read_text())
    assert facts["counts"]["scored"] == 2
    assert {item["contract"] for item in facts["outputs"]} == {"members_scores", "members_rejected"}
