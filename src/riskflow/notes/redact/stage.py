"""The redact stage: the notes of one shard of patients to redacted notes and their audit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.notes import NotesNerSection, NotesRedactStage
from riskflow.contracts.notes_redacted import AUDIT, REDACTED_NOTES
from riskflow.contracts.notes_sources import SOURCE_ENCOUNTERS, SOURCE_OBSERVATIONS, SOURCE_PATIENTS
from riskflow.errors import RiskflowError
from riskflow.notes.audit import audit_artifact
from riskflow.notes.garbage import no_cycle_search
from riskflow.notes.policy import Policy
from riskflow.notes.pseudonym import load_key, pseudonyms
from riskflow.notes.redact.cache import SpanCache
from riskflow.notes.redact.detectors import rule_detector
from riskflow.notes.redact.pipeline import Redacted, redact
from riskflow.notes.redact.record import record_identifiers
from riskflow.notes.redact.spans import Detector
from riskflow.receipts import Receipt

TRAINED = "trained"


def notes_of(observations: pl.DataFrame) -> pl.DataFrame:
    """Return note_id, patient_id, text of the observations that have a note."""
    return observations.filter(pl.col("notes").is_not_null()).select(
        pl.col("observation_id").alias("note_id"), "patient_id", pl.col("notes").alias("text")
    )


def redacted_artifacts(
    outcome: Redacted, policy: Policy, key: bytes, detectors: Sequence[Detector]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of REDACTED_NOTES and of AUDIT: no id of the source is in them."""
    notes = outcome.notes
    ids = pseudonyms(key, "observation", notes["note_id"])
    versions = ",".join([rule_detector().version, *(detector.version for detector in detectors)])
    rows = notes.select(
        ids.alias("observation_id"),
        pseudonyms(key, "patient", notes["patient_id"]).alias("patient_id"),
        "status",
        "reason",
        pl.col("text").alias("note"),
        "spans",
        pl.lit(policy.version).alias("policy"),
        pl.lit(versions).alias("detectors"),
    )
    names = dict(zip(notes["note_id"].to_list(), ids.to_list(), strict=True))
    return rows, audit_artifact(outcome.audit, names)


def load_detectors(model: Path | None, config: NotesNerSection) -> list[Detector]:
    """Return the name model of the config: the folder that training wrote, or an installed pipeline by its name.

    There is no way to leave it out: without a model, names that no rule knows would pass.
    """
    from riskflow.notes.ner.detector import NerDetector

    if config.model != TRAINED:
        return [NerDetector(config.model, config.batch, config.processes)]
    if model is None:
        raise RiskflowError(
            "the redact stage needs the trained model", "give --model the folder that training wrote"
        )
    return [NerDetector(model, config.batch, config.processes)]


def run(
    *,
    patients: Path,
    encounters: Path,
    observations: Path,
    redacted: Path,
    audit: Path,
    config: NotesRedactStage,
    model: Path | None = None,
    cache: Path | None = None,
) -> Receipt:
    """Redact the notes of one shard.

    Reads the shard's source tables and the model; writes REDACTED_NOTES and AUDIT. `cache` is a folder of spans
    by content hash and version, shared by all shards; without it every text is read. Notes that cannot be redacted
    are withheld, counted and named by pseudonym in the receipt.
    """
    policy, key = Policy.of(config.policy), load_key(config.policy.key_file)
    sources = (
        artifacts.read(patients, SOURCE_PATIENTS),
        artifacts.read(encounters, SOURCE_ENCOUNTERS),
        artifacts.read(observations, SOURCE_OBSERVATIONS),
    )
    detectors = load_detectors(model, config.ner)
    span_cache = SpanCache(cache, redacted.stem, key) if cache else None
    with no_cycle_search():
        outcome = redact(
            notes_of(sources[2]), record_identifiers(*sources), policy, key, detectors, span_cache
        )
    rows, spans = redacted_artifacts(outcome, policy, key, detectors)
    artifacts.write(rows, redacted, REDACTED_NOTES)
    artifacts.write(spans, audit, AUDIT)
    held = rows.filter(pl.col("status") == "withheld").sort("observation_id")
    facts = {"withheld": held.select("observation_id", "reason").rows(), "policy": policy.version}
    return Receipt(counts=outcome.counts, facts=facts)
