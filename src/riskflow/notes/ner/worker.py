"""Read sentences with a spaCy pipeline: in this process, or as a process of its own that returns spans only.

As a program it answers each line of standard input (a JSON list of sentences) by one line: for every sentence
its spans, or null when the model failed on it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
import spacy
from spacy.language import Language

from riskflow.errors import RiskflowError
from riskflow.notes.ner import model_file

Spans = list[tuple[int, int, str]]

KIND_OF_LABEL = {
    "NAME": "NAME", "PERSON": "NAME", "PER": "NAME", "PATIENT": "NAME", "STAFF": "NAME",
    "GEO": "GEO", "GPE": "GEO", "LOC": "GEO", "FAC": "GEO", "LOCATION": "GEO", "HOSP": "GEO", "ORG": "GEO",
}  # fmt: skip
"""Label of a pipeline → kind of identifier; other labels (quantities, dates) are left to the rules."""


def load_model(model: str) -> Language:
    """Return a pipeline: the file that training wrote, else a folder or installed package by its name."""
    if Path(model).is_file():
        return model_file.loads(Path(model).read_bytes())
    try:
        nlp = spacy.load(model, exclude=["lemmatizer", "textcat"])
    except OSError:
        raise RiskflowError(
            f"notes.ner.model: there is no spaCy pipeline {Path(model).name}",
            "install it into the environment, or write `trained` for the workflow's own",
        ) from None
    if not {"ner", "beam_ner", "transformer"} & set(nlp.pipe_names):
        raise RiskflowError(f"notes.ner.model: the pipeline {Path(model).name} has no `ner` component")
    return nlp


def read_sentences(nlp: Language, texts: Sequence[str], batch: int) -> list[Spans | None]:
    """Return the spans of each sentence; None for one on which the pipeline failed, and for it alone."""
    try:
        with nlp.memory_zone():
            return [_spans(doc) for doc in nlp.pipe(texts, batch_size=batch)]
    except Exception:  # any fault of a model: read one by one, so that only the text at fault is withheld
        return [_read_alone(nlp, text) for text in texts]


def _read_alone(nlp: Language, text: str) -> Spans | None:
    try:
        with nlp.memory_zone():
            return _spans(nlp(text))
    except Exception:  # the text is reported as failed and will be withheld
        return None


def _spans(doc: Any) -> Spans:
    found = ((ent, KIND_OF_LABEL.get(ent.label_)) for ent in doc.ents)
    return [(ent.start_char, ent.end_char, kind) for ent, kind in found if kind is not None]


def serve(model: str, batch: int, requests: Iterable[bytes]) -> None:
    """Answer requests until there are no more."""
    nlp = load_model(model)
    for line in requests:
        sys.stdout.buffer.write(orjson.dumps(read_sentences(nlp, orjson.loads(line), batch)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.stdin.buffer)
