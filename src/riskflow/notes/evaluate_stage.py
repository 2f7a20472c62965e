"""The evaluation stage: model, rules, both, and both with the record, on labelled notes that no one was trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.notes import NotesRedactStage
from riskflow.contracts.notes_evaluation import MISSES, SCORES
from riskflow.contracts.notes_sources import SOURCE_PATIENTS, SOURCE_TABLES
from riskflow.notes.deidentify import read_sources
from riskflow.notes.evaluate import ALL, Evaluation, compare, read_labelled
from riskflow.notes.ner.detector import detector_for
from riskflow.notes.policy import Policy
from riskflow.notes.redact.pipeline import redact
from riskflow.notes.redact.record import record_identifiers
from riskflow.notes.redact.spans import SPAN_SCHEMA, Detection, Detector
from riskflow.notes.templates.markup import Labelled
from riskflow.receipts import Receipt

LabelledSet = Sequence[tuple[str, Labelled]]
_NO_SECRET = hashlib.sha256(b"offsets need no key").digest()
"""Evaluation looks at places only; what the redactor hashes on the way is thrown away."""


@dataclass(frozen=True)
class Records:
    """Whose notes the labelled texts are: id of the text → patient, and what is known of the patients."""

    patient_of: dict[str, str]
    identifiers: pl.DataFrame


def run(
    *,
    labels: Path,
    model: Path,
    scores: Path,
    misses: Path,
    config: NotesRedactStage,
    patients: Path | None = None,
    encounters: Path | None = None,
    observations: Path | None = None,
    plan: Path | None = None,
) -> Receipt:
    """Measure recall, precision and over-redaction per kind on labelled notes; misses are told by hash.

    The source tables, folders whose shards the plan names, are those of the patients whose notes are labelled.
    Without them (the notes of a run on one's own files have no labels, so generated notes are measured) the system
    with the record is left out.
    """
    labelled, policy = read_labelled(labels), Policy.of(config.policy)
    detector = detector_for(model, config.ner.batch, config.ner.processes)
    records = None
    if patients and encounters and observations and plan:
        records = records_of(read_sources(patients, encounters, observations, plan))
    known = [(n, item) for n, item in labelled if records is None or n in records.patient_of]
    systems = evaluated_systems(known, detector, policy, records)
    tables = [_system_rows(name, evaluation) for name, evaluation in systems.items()]
    artifacts.write(pl.concat(tables).select(SCORES.schema.keys()), scores, SCORES)
    whole = "record_rules_ner" if records else "rules_ner"
    artifacts.write(systems[whole].misses, misses, MISSES)
    counts = {"read": len(labelled), "kept": len(known), "quarantined": len(labelled) - len(known)}
    return Receipt(counts=counts, facts={"withheld": {n: e.withheld for n, e in systems.items()}})


def evaluated_systems(
    labelled: LabelledSet, detector: Detector, policy: Policy, records: Records | None
) -> dict[str, Evaluation]:
    """Return the evaluation of each system of SYSTEMS on the same texts; with the record only where there are any."""
    texts = [item.text for _, item in labelled]
    systems = {
        "ner": compare(labelled, detector.detect(texts)),
        "rules": compare(labelled, redacted_spans(labelled, (), policy)),
        "rules_ner": compare(labelled, redacted_spans(labelled, (detector,), policy)),
    }
    if records is None:
        return systems
    known = compare(labelled, redacted_spans(labelled, (detector,), policy, records))
    return systems | {"record_rules_ner": known}


def evaluate_file(
    path: Path, detectors: Sequence[Detector], policy: Policy, show_text: bool = False
) -> Evaluation:
    """Return how well the whole redactor (without a record) does on a labelled set of one's own."""
    labelled = read_labelled(path)
    return compare(labelled, redacted_spans(labelled, detectors, policy), show_text)


def redacted_spans(
    labelled: LabelledSet, detectors: Sequence[Detector], policy: Policy, records: Records | None = None
) -> Detection:
    """Return what the redactor replaces in each text, and the texts that it withholds."""
    patient_of = records.patient_of if records else {}
    notes = pl.DataFrame(
        {
            "note_id": [str(place) for place in range(len(labelled))],
            "patient_id": [patient_of.get(name, f"unknown {name}") for name, _ in labelled],
            "text": [item.text for _, item in labelled],
        }
    )
    identifiers = records.identifiers if records else record_identifiers(SOURCE_PATIENTS.empty())
    done = redact(notes, identifiers, policy, _NO_SECRET, detectors)
    spans = done.audit.select(
        pl.col("note_id").cast(pl.UInt32).alias("text_id"), "start", "end", "kind", "source"
    )
    held = done.notes.filter(pl.col("status") == "withheld")
    failed = {int(note): str(reason) for note, reason in held.select("note_id", "reason").iter_rows()}
    return Detection(spans.select(list(SPAN_SCHEMA)), failed)


def records_of(source: Mapping[str, pl.DataFrame]) -> Records:
    """Return whose notes the observations are, and the known identifiers of their patients."""
    patients, encounters, observations = (source[name] for name in SOURCE_TABLES)
    patient_of = dict(observations.select("observation_id", "patient_id").iter_rows())
    return Records(patient_of, record_identifiers(patients, encounters, observations))


def _system_rows(name: str, evaluation: Evaluation) -> pl.DataFrame:
    over = pl.when(pl.col("kind") == ALL).then(pl.lit(evaluation.over_redaction))
    return evaluation.scores.with_columns(pl.lit(name).alias("system"), over.alias("over_redaction"))
