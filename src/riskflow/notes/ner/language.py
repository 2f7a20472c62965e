"""The language of the model: spaCy's English, with list membership in place of the prefix as a token feature."""

from __future__ import annotations

from typing import Any

import spacy
from spacy.attrs import PREFIX
from spacy.lang.en import English
from spacy.language import Language

from riskflow.notes.ner.lexicon import word_class

WIDTH = 48
DEPTH = 2
NAME = "en_clinical"
VERSION = "1.0.0"


class ClinicalDefaults(English.Defaults):  # type: ignore[misc]
    """English defaults; the lexical attribute PREFIX holds the word's class on the lists."""

    lex_attr_getters = {PREFIX: word_class}  # noqa: RUF012  # the name and form that spaCy asks for


@spacy.registry.languages(NAME)
class ClinicalEnglish(English):  # type: ignore[misc]
    """English as the trained model reads it; importing this module lets `spacy.load` find it."""

    lang = NAME
    Defaults = ClinicalDefaults


def blank_model() -> Language:
    """Return an untrained pipeline: tok2vec (hash embeddings, convolutions) and a transition-based NER."""
    nlp = ClinicalEnglish(meta={"name": "notes", "version": VERSION})
    nlp.add_pipe("ner", config={"model": _ner_model(WIDTH, DEPTH)})
    return nlp


def _ner_model(width: int, depth: int) -> dict[str, Any]:
    return {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 48,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": {
                "@architectures": "spacy.MultiHashEmbed.v2",
                "width": width,
                "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
                "rows": [4000, 200, 1000, 600],
                "include_static_vectors": False,
            },
            "encode": {
                "@architectures": "spacy.MaxoutWindowEncoder.v2",
                "width": width,
                "depth": depth,
                "window_size": 1,
                "maxout_pieces": 3,
            },
        },
    }
