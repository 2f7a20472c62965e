"""A trained model as one file, and the card that says what it is.

The file holds the model twice: as the arrays that `reader` reads with, and as spaCy's own pipeline, from which they
were taken and to which a test holds them equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskflow.errors import RiskflowError
from riskflow.files import replacing, write_text
from riskflow.notes.ner.network import Network, arrays, network_of

if TYPE_CHECKING:
    from spacy.language import Language

_MARK = b"riskflow-ner-2\n"
_LEFT_OUT = ["vocab", "tokenizer", "meta.json"]
_SIZE = 8


def dumps(nlp: Language) -> bytes:
    """Return the weights of a model that `blank_model` made; the words that it was trained on are not in them."""
    held = arrays(Network.of(nlp))
    return _MARK + len(held).to_bytes(_SIZE, "big") + held + bytes(nlp.to_bytes(exclude=_LEFT_OUT))


def is_model(data: bytes) -> bool:
    """Return whether bytes begin as those of `dumps` do."""
    return data.startswith(_MARK)


def network(data: bytes) -> Network:
    """Return the arrays of a model that `dumps` wrote; RiskflowError when it is none."""
    return network_of(_parts(data)[0])


def loads(data: bytes) -> Language:
    """Return the spaCy pipeline of a model that `dumps` wrote; RiskflowError when it is none."""
    # spaCy takes half a second to import, and who only reads does without it
    from riskflow.notes.ner.language import blank_model

    nlp = blank_model()
    nlp.from_bytes(_parts(data)[1], exclude=_LEFT_OUT)
    return nlp


def _parts(data: bytes) -> tuple[bytes, bytes]:
    if not is_model(data):
        raise RiskflowError(
            "the file holds no model of this version", "delete it and run the training stage again"
        )
    start = len(_MARK) + _SIZE
    end = start + int.from_bytes(data[len(_MARK) : start], "big")
    return data[start:end], data[end:]


def save(nlp: Language, path: Path) -> None:
    """Write a model to one file."""
    with replacing(path) as temporary:
        temporary.write_bytes(dumps(nlp))


def write_card(card: dict[str, Any], path: Path) -> None:
    """Write a model card as JSON."""
    write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", path)
