"""Demo, ingest, training and evaluation one after the other, as the workflow runs them."""

import json

import polars as pl
import pytest

from riskflow import artifacts
from riskflow.config.notes import (
    NotesDemoSection,
    NotesDemoStage,
    NotesIngestStage,
    NotesNerSection,
    NotesPolicySection,
    NotesQualitySection,
    NotesQualityStage,
    NotesRedactStage,
    NotesShardsSection,
    NotesSourceSection,
)
from riskflow.contracts.notes_evaluation import MISSES, SCORES
from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.errors import RiskflowError
from riskflow.notes import demo_files, evaluate_stage, quality
from riskflow.notes.ingest import stage as ingest_stage
from riskflow.notes.ner.detector import NerDetector
from riskflow.notes.policy import Policy
from riskflow.quarantine import QUARANTINE
from riskflow.receipts import Receipt

# the tests that need the model run in one process, so that it is trained once


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    demo = NotesDemoStage(demo=NotesDemoSection(patients=60, seed=5, dirt=0.01))
    demo_files.run(
        records=folder / "records.json", labels=folder / "labels.jsonl", key=folder / "demo.key", config=demo
    )
    return folder


def ingested(folder, shards=2):
    config = NotesIngestStage(source=NotesSourceSection(), shards=NotesShardsSection(count=shards))
    tables = {table: folder / table for table in SOURCE_TABLES}
    receipt = ingest_stage.run(
        sources=[folder / "records.json"],
        **tables,
        quarantine=folder / "quarantine.parquet",
        manifest=folder / "manifest.json",
        config=config,
    )
    return receipt, tables


def test_ingest_writes_every_shard_a_manifest_and_the_quarantine(work):
    receipt, shards = ingested(work)
    counts = receipt.counts
    assert counts["read"] == counts["kept"] + counts["quarantined"] > 0
    manifest = json.loads((work / "manifest.json").read_text())
    rows = {
        table: [artifacts.read(p, SOURCE_TABLES[table]).height for p in sorted(folder.glob("*.parquet"))]
        for table, folder in shards.items()
    }
    assert manifest["rows"] == {f"{n:04d}": sum(r[n] for r in rows.values()) for n in range(2)}
    assert set(manifest) == {"rows", *SOURCE_TABLES}
    assert (
        artifacts.read(work / "quarantine.parquet", QUARANTINE)["row"].null_count() == counts["quarantined"]
    )


def test_the_same_input_gives_the_same_bytes(work):
    _, shards = ingested(work)
    before = {path: path.read_bytes() for folder in shards.values() for path in folder.iterdir()}
    ingested(work)
    assert before == {path: path.read_bytes() for path in before}


def test_too_much_quarantine_stops_the_run(work, tmp_path):
    receipt, _ = ingested(work)
    receipt.write(tmp_path / "ingest.json")
    passed = quality.run(receipts=[tmp_path / "ingest.json"], config=limited(0.2))
    assert passed.counts == receipt.counts
    with pytest.raises(RiskflowError, match=r"notes\.quality\.max_quarantined"):
        quality.run(receipts=[tmp_path / "ingest.json"], config=limited(0.0))


def test_one_bad_table_stops_the_run_though_all_together_are_within_the_limit(tmp_path):
    receipt = Receipt(
        counts={"read": 100, "kept": 97, "quarantined": 3},
        facts={"read": {"patients": 4, "observations": 96}, "kept": {"patients": 1, "observations": 96}},
    )
    receipt.write(tmp_path / "ingest.json")
    with pytest.raises(RiskflowError, match="patients"):
        quality.run(receipts=[tmp_path / "ingest.json"], config=limited(0.05))


def limited(share):
    return NotesQualityStage(quality=NotesQualitySection(max_quarantined=share))


def test_every_system_is_scored_and_the_whole_is_better_than_its_parts(work, model):
    _, shards = ingested(work)
    evaluate_stage.run(
        labels=work / "labels.jsonl",
        **shards,
        plan=work / "manifest.json",
        model=model,
        scores=work / "scores.parquet",
        misses=work / "misses.parquet",
        config=NotesRedactStage(policy=NotesPolicySection(), ner=NotesNerSection()),
    )
    scores = artifacts.read(work / "scores.parquet", SCORES)
    recall = dict(scores.filter(pl.col("kind") == "ALL").select("system", "recall").iter_rows())
    assert set(recall) == {"ner", "rules", "rules_ner", "record_rules_ner"}
    assert recall["rules_ner"] >= max(recall["ner"], recall["rules"])
    assert recall["record_rules_ner"] >= recall["rules_ner"] > 0.8
    missed = artifacts.read(work / "misses.parquet", MISSES).height
    whole = scores.row(
        by_predicate=(pl.col("system") == "record_rules_ner") & (pl.col("kind") == "ALL"), named=True
    )
    assert missed == whole["true_spans"] - whole["found_whole"]


def test_a_set_of_ones_own_is_measured_without_records(model, tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text('{"text": "Seen by Dr. {{NAME:Robert Miller}} on {{DATE:3/4/2021}}. Lungs clear."}\n')
    found = evaluate_stage.evaluate_file(path, [NerDetector(model)], Policy())
    assert found.scores.filter(pl.col("kind") == "ALL")["recall"].item() == 1.0
    assert found.over_redaction < 0.2
