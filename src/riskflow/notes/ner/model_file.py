"""A trained model as one file, and the card that says what it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spacy.language import Language

from riskflow.errors import RiskflowError
from riskflow.files import replacing, write_text
from riskflow.notes.ner.language import blank_model

_MARK = b"riskflow-ner-1\n"
_LEFT_OUT = ["vocab", "tokenizer", "meta.json"]


def dumps(nlp: Language) -> bytes:
    """Return the weights of a model that `blank_model` made; the words that it was trained on are not in them."""
    return _MARK + bytes(nlp.to_bytes(exclude=_LEFT_OUT))


def loads(data: bytes) -> Language:
    """Return the model that `dumps` wrote; RiskflowError when it is none."""
    if not data.startswith(_MARK):
        raise RiskflowError(
            "the file holds no model of this version", "delete it and run the training stage again"
        )
    nlp = blank_model()
    nlp.from_bytes(data.removeprefix(_MARK), exclude=_LEFT_OUT)
    return nlp


def save(nlp: Language, path: Path) -> None:
    """Write a model to one file."""
    with replacing(path) as temporary:
        temporary.write_bytes(dumps(nlp))


def write_card(card: dict[str, Any], path: Path) -> None:
    """Write a model card as JSON."""
    write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", path)
