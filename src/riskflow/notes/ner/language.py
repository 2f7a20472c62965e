"""The language and the shape of the model: spaCy's English with words of our own, and list membership as a feature."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import spacy
from spacy.lang.en import English
from spacy.language import Language
from spacy.ml.models import MaxoutWindowEncoder
from spacy.tokens import Doc
from spacy.vocab import Vocab
from thinc.api import (
    Embed,
    Maxout,
    Model,
    chain,
    concatenate,
    list2ragged,
    ragged2list,
    with_array,
)

from riskflow.notes.ner.network import VERSION
from riskflow.notes.ner.words import ROWS, word_rows, word_table
from riskflow.notes.redact.text import canonical

WIDTH = 32
DEPTH = 2
PIECES = 2
HIDDEN = 32
NAME = "en_clinical"
EMBED = "riskflow.WordEmbed.v1"


class WordTokenizer:
    """Cuts a text into the words of `words.word_table`; runs of blanks become one blank."""

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Doc:
        """Return the text's words as a Doc."""
        table = word_table([canonical(text).replace("\n", " ")])
        words = [table.words[i] for i in table.ids]
        blanks = [*(table.starts[1:] > table.ends[:-1]).tolist(), False][: len(words)]
        return Doc(self.vocab, words=words, spaces=blanks)


@spacy.registry.languages(NAME)
class ClinicalEnglish(English):  # type: ignore[misc]
    """English as the trained model reads it; importing this module lets `spacy.load` find it."""

    lang = NAME


@spacy.registry.architectures(EMBED)  # type: ignore[untyped-decorator]
def word_embed(width: int) -> Model[list[Doc], Any]:
    """Return the layer that gives every word its vector: tables by `word_rows`, mixed by a maxout layer."""
    tables = [Embed(width, rows, column=column) for column, rows in enumerate(ROWS)]
    mix: Model[Any, Any] = Maxout(width, width * len(ROWS), nP=PIECES, dropout=0.0, normalize=True)
    return chain(
        Model("word_rows", _forward),
        list2ragged(),
        with_array(concatenate(*tables)),
        with_array(mix),
        ragged2list(),
    )


def _forward(model: Model[Any, Any], docs: list[Doc], is_train: bool) -> tuple[Any, Callable[[Any], Any]]:
    rows = [
        np.asarray([_rows(word.text) for word in doc], dtype=np.int32).reshape(-1, len(ROWS)) for doc in docs
    ]
    return [model.ops.asarray2i(part) for part in rows], lambda gradient: []


_rows = lru_cache(maxsize=1 << 17)(word_rows)


@spacy.registry.architectures("riskflow.WordTok2Vec.v1")  # type: ignore[untyped-decorator]
def word_tok2vec(width: int, depth: int) -> Model[list[Doc], Any]:
    """Return word vectors in their context: `depth` convolutions over the words beside."""
    encode = MaxoutWindowEncoder(width=width, window_size=1, maxout_pieces=PIECES, depth=depth)
    tok2vec = chain(word_embed(width), encode)
    tok2vec.set_dim("nO", width)
    return tok2vec


def blank_model() -> Language:
    """Return an untrained pipeline: word embeddings, convolutions and a transition-based NER."""
    nlp = ClinicalEnglish(meta={"name": "notes", "version": VERSION.partition("@")[2]})
    nlp.tokenizer = WordTokenizer(nlp.vocab)
    nlp.add_pipe("ner", config={"model": _ner_model(WIDTH, DEPTH)})
    return nlp


def _ner_model(width: int, depth: int) -> dict[str, Any]:
    return {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": HIDDEN,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": {"@architectures": "riskflow.WordTok2Vec.v1", "width": width, "depth": depth},
    }
