"""The training stage: the model of the config's size, and its card with scores on what it never saw."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import polars as pl
import spacy

from riskflow.config.notes import NotesTrainStage
from riskflow.notes.evaluate import Evaluation, evaluate
from riskflow.notes.ner import model_file
from riskflow.notes.ner.detector import NerDetector
from riskflow.notes.ner.train import LABELS, Recipe, generated_sentences, train
from riskflow.notes.redact.text import given_names, surnames
from riskflow.notes.templates.markup import Labelled
from riskflow.notes.templates.vocabulary import Half, vocabulary
from riskflow.receipts import Receipt

SIZES: dict[Literal["small", "full"], tuple[int, int]] = {"small": (16_000, 2), "full": (90_000, 5)}
"""Size → sentences to train on, passes over them."""
_TEST_SENTENCES = 6_000
_SMALL_SHARE = 3
"""The small model is measured on a third of the test sentences: it is for demos and tests, where seconds count."""
_LIMITS = (
    "trained on generated English notes of US style; real notes hold forms that no template has",
    "names of persons and places only; dates, numbers and addresses of machines are left to the rules",
    "initials alone and surnames that are ordinary words are the most frequent misses",
    "scores on generated notes are no promise for yours: measure with `riskflow notes evaluate` on labelled notes",
)


def run(*, model: Path, card: Path, config: NotesTrainStage) -> Receipt:
    """Train the name model, write it and its card. With an installed pipeline in config only its card is written."""
    ner = config.ner
    if ner.model != "trained":
        return _named_pipeline(ner.model, model, card)
    sentences, epochs = SIZES[ner.size]
    trained = train(Recipe(sentences, epochs, ner.seed))
    model_file.save(trained.nlp, model)
    model_file.write_card(model_card(model, trained.facts, ner.size, ner.seed), card)
    return Receipt(counts={"sentences": trained.facts["sentences"]}, facts={"bytes": model.stat().st_size})


def model_card(model: Path, facts: dict[str, Any], size: str, seed: int) -> dict[str, Any]:
    """Return what the model is, what it was trained on, and how well it reads seen and unseen notes."""
    detector = NerDetector(model)
    count = _TEST_SENTENCES // (_SMALL_SHARE if size == "small" else 1)
    unseen, seen = _test_set("evaluation", seed + 1, count), _test_set("train", seed + 1, count)
    return {
        "model": detector.version,
        "architecture": "spaCy: word embeddings, 2 convolutions of width 32, transition-based NER; read by numpy",
        "labels": list(LABELS),
        "size": size,
        "seed": seed,
        "bytes": model.stat().st_size,
        "training": facts,
        "split": _split_facts(),
        "scores": {
            "unseen_templates_and_names": _told(evaluate(unseen, detector)),
            "unseen_without_prefilter": _told(evaluate(unseen, NerDetector(model, prefilter=False))),
            "unseen_names_on_no_list": _recall(evaluate(_unlisted(unseen), detector)),
            "seen_templates_new_notes": _told(evaluate(seen, detector)),
        },
        "limits": list(_LIMITS),
        "versions": {
            "spacy": spacy.__version__,
            "thinc": version("thinc"),
            "python": platform.python_version(),
        },
    }


def _test_set(half: Half, seed: int, count: int) -> list[tuple[str, Labelled]]:
    """Return labelled sentences of a half with the spans of the model's labels only."""
    return [(str(n), _of_labels(item)) for n, item in enumerate(generated_sentences(half, seed, count))]


def _of_labels(item: Labelled) -> Labelled:
    return Labelled(item.text, tuple(span for span in item.spans if span[2] in LABELS))


def _unlisted(labelled: Sequence[tuple[str, Labelled]]) -> list[tuple[str, Labelled]]:
    """Return the texts with only those names as spans of which no word is on a list."""
    return [
        (name, Labelled(i.text, kept))
        for name, i in labelled
        if (kept := tuple(s for s in i.spans if _strange(i, s)))
    ]


def _strange(item: Labelled, span: tuple[int, int, str]) -> bool:
    words = item.text[span[0] : span[1]].lower().replace("-", " ").replace(",", " ").split()
    whole = [word for word in words if len(word.strip(".")) > 1]
    return span[2] == "NAME" and bool(whole) and not any(w in given_names() or w in surnames() for w in whole)


def _told(evaluation: Evaluation) -> dict[str, Any]:
    wanted = evaluation.scores.filter(evaluation.scores["true_spans"] > 0)
    kinds = {
        row["kind"]: {
            "true_spans": row["true_spans"],
            **{
                name: None if row[name] is None else round(row[name], 4)
                for name in ("recall", "precision", "f2")
            },
        }
        for row in wanted.iter_rows(named=True)
    }
    return {"kinds": kinds, "over_redaction": round(evaluation.over_redaction, 5), "texts": evaluation.texts}


def _recall(evaluation: Evaluation) -> dict[str, Any]:
    """Return the recall alone: the texts hold other names too, which are no spans of this set."""
    row = evaluation.scores.row(by_predicate=pl.col("kind") == "NAME", named=True)
    return {
        "true_spans": row["true_spans"],
        "recall": None if row["recall"] is None else round(row["recall"], 4),
    }


def _split_facts() -> dict[str, Any]:
    """Say how many frames, names and places each half holds."""
    return {
        half: {
            "frames": len(words.frames),
            "prose": len(words.prose),
            "decorations": sum(map(len, words.decorations.values())),
            "last_names": len(words.last.words),
            "first_names": len(words.female.words) + len(words.male.words),
            "cities": len(words.cities),
        }
        for half in ("train", "evaluation")
        for words in (vocabulary(half),)
    }


def _named_pipeline(name: str, model: Path, card: Path) -> Receipt:
    """Write a pointer to an installed pipeline in place of a model, and a card with its scores on the same notes."""
    detector = NerDetector(name)
    unseen = _test_set("evaluation", 1, _TEST_SENTENCES)
    model_file.write_card({"installed": name, "version": detector.version}, model)
    model_file.write_card(
        {"model": detector.version, "scores": {"generated_notes": _told(evaluate(unseen, detector))}}, card
    )
    return Receipt(counts={"sentences": 0}, facts={"installed": name})
