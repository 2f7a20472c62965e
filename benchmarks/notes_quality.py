"""How much of which kind is found on notes of unseen templates, names and places, and beside Microsoft Presidio.

    python -m benchmarks.notes_quality [--notes 1500] [--model names.model --card card.json] [--presidio PYTHON]

Without `--model` the small model is trained. `--presidio` is the interpreter of an environment in which
presidio-analyzer is installed; it is asked with its default recognisers. Presidio takes names from a spaCy model;
where the environment has none it reads with a blank pipeline, and the result says so. The sets and the measure
(`riskflow.notes.evaluate`) are the same for all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import polars as pl

from benchmarks.measure import REPOSITORY, write_result
from benchmarks.notes_scale import trained
from riskflow.notes.demo import demo_records
from riskflow.notes.evaluate import ALL, Evaluation, compare
from riskflow.notes.evaluate_stage import redacted_spans
from riskflow.notes.ner.detector import NerDetector
from riskflow.notes.policy import Policy
from riskflow.notes.redact.spans import Detection, span_frame
from riskflow.notes.templates.markup import Labelled

SEED = 77
KIND_OF_ENTITY = {
    "PERSON": "NAME", "LOCATION": "GEO", "PHONE_NUMBER": "PHONE", "EMAIL_ADDRESS": "EMAIL", "US_SSN": "SSN",
    "URL": "URL", "IP_ADDRESS": "IP", "DATE_TIME": "DATE", "MEDICAL_LICENSE": "LICENSE", "US_DRIVER_LICENSE": "LICENSE",
    "US_PASSPORT": "LICENSE", "US_BANK_NUMBER": "ACCOUNT", "CREDIT_CARD": "ACCOUNT", "IBAN_CODE": "ACCOUNT",
    "US_ITIN": "SSN", "MAC_ADDRESS": "DEVICE",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=1500)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--card", type=Path)
    parser.add_argument("--presidio", default=sys.executable)
    arguments = parser.parse_args()
    labelled = unseen_notes(arguments.notes)
    with TemporaryDirectory() as folder:
        detector = NerDetector(arguments.model or trained(Path(folder) / "names.model"))
    texts = [item.text for _, item in labelled]
    names = detector.detect(texts)
    systems = {
        "model": compare(labelled, names),
        "rules": compare(labelled, redacted_spans(labelled, (), Policy())),
        "rules_and_model": compare(labelled, redacted_spans(labelled, (detector,), Policy())),
    }
    presidio = asked_presidio(arguments.presidio, texts)
    if "spans" in presidio:
        found = presidio_spans(presidio.pop("spans"))
        systems["presidio"] = compare(labelled, Detection(found))
        systems["presidio_and_our_model"] = compare(labelled, Detection(pl.concat([found, names.spans])))
    result = {
        "notes": len(labelled),
        "model": detector.version,
        "systems": {name: told(evaluation) for name, evaluation in systems.items()},
        "presidio": presidio,
        "card": orjson.loads(arguments.card.read_bytes()) if arguments.card else None,
    }
    write_result("notes_quality", result)


def unseen_notes(count: int) -> list[tuple[str, Labelled]]:
    """Return labelled notes of the evaluation half: no name, place or template of them is in the training data."""
    notes = [pair for item in demo_records(-(-count // 3), SEED) for pair in item.notes.items()]
    return notes[:count]


def told(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as JSON: over all kinds, and per kind."""
    rows = {row["kind"]: row for row in evaluation.scores.iter_rows(named=True)}
    return {
        "recall": rows[ALL]["recall"],
        "precision": rows[ALL]["precision"],
        "f2": rows[ALL]["f2"],
        "over_redaction": evaluation.over_redaction,
        "kinds": {
            kind: {name: row[name] for name in ("true_spans", "found_whole", "recall", "precision")}
            for kind, row in rows.items()
            if kind != ALL
        },
    }


def asked_presidio(python: str, texts: Sequence[str]) -> dict[str, Any]:
    """Return Presidio's findings (text number, start, end, entity) and how it read, or why it did not."""
    program = Path(__file__).with_name("notes_presidio.py")
    started = time.perf_counter()
    done = subprocess.run(
        [python, str(program)],
        input=orjson.dumps(list(texts)),
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
    )
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it gave no answer"]
        return {"not_measured": last[0]}
    answer: dict[str, Any] = orjson.loads(done.stdout)
    return answer | {"notes_per_second": len(texts) / answer["seconds"], "seconds_with_start": seconds}


def presidio_spans(found: Sequence[Sequence[Any]]) -> pl.DataFrame:
    return span_frame(
        (number, start, end, KIND_OF_ENTITY.get(entity, "ID"), "presidio")
        for number, start, end, entity in found
    )


if __name__ == "__main__":
    main()
