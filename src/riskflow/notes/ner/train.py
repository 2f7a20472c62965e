"""Train the default model on generated notes, and say on its card how well it reads what it never saw.

Deterministic by seed: the same code, seed and versions of spaCy and numpy give the same model where numpy multiplies
by the same code, which `riskflow.jobs` sees to.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import fix_random_seed, minibatch

from riskflow.notes.ner.language import blank_model
from riskflow.notes.ner.lexicon import is_common_name
from riskflow.notes.ner.sentences import sentences
from riskflow.notes.ner.words import WordTable, word_table
from riskflow.notes.redact.text import canonical, ordinary_words
from riskflow.notes.templates.compose import Composer
from riskflow.notes.templates.markup import Labelled, Segment, labelled
from riskflow.notes.templates.vocabulary import Half

LABELS = ("NAME", "GEO")
_STRANGE_SHARE = 0.08
_WORD = re.compile(r"[A-Za-z]{3,}")


@dataclass(frozen=True)
class Recipe:
    """How much to train on: sentences, passes over them, and the seed."""

    sentences: int = 60_000
    epochs: int = 6
    seed: int = 20


@dataclass(frozen=True)
class Trained:
    """A model and what training told: loss per epoch, sentences and tokens seen, seconds."""

    nlp: Language
    facts: dict[str, Any]


def generated_sentences(half: Half, seed: int, count: int, phi_share: float = 0.5) -> list[Labelled]:
    """Return different labelled sentences of notes of a half, cut as inference cuts them."""
    composer, seen, kept = Composer(half, seed), set[str](), list[Labelled]()
    while len(kept) < count:
        note = labelled(composer.note(composer.cast(), composer.draw.randrange(1, 5), phi_share))
        for sentence in cut(note):
            if sentence.text not in seen:
                seen.add(sentence.text)
                kept.append(sentence)
    return kept[:count]


def cut(note: Labelled) -> Iterator[Labelled]:
    """Yield the sentences of a note with their spans; a span over a cut is cut too."""
    for start, end in sentences(note.text):
        inside = tuple(
            (max(s, start) - start, min(e, end) - start, k) for s, e, k in note.spans if s < end and e > start
        )
        yield Labelled(note.text[start:end], inside)


def train(recipe: Recipe, tell: Callable[[str], None] = lambda line: None) -> Trained:
    """Return a model trained by a recipe; `tell` gets a line of progress per epoch."""
    fix_random_seed(recipe.seed)
    started = time.perf_counter()
    nlp = blank_model()
    data = generated_sentences("train", recipe.seed, recipe.sentences)
    shuffle = random.Random(recipe.seed)
    examples = [example(nlp, with_strange_words(item, shuffle)) for item in data]
    optimizer = nlp.initialize(lambda: examples[:2000])
    ner: Any = nlp.get_pipe("ner")
    losses, steps = [], 0.0
    total = max(1, recipe.epochs * len(examples) // 256)
    for epoch in range(recipe.epochs):
        shuffle.shuffle(examples)
        loss: dict[str, float] = {}
        for batch in minibatch(examples, size=_batch_size(epoch)):
            optimizer.learn_rate = 0.002 * max(0.05, 1.0 - steps / (1.3 * total))
            # not by way of the pipeline, which copies and aligns every example anew each time
            ner.update(batch, sgd=optimizer, losses=loss, drop=0.2)
            steps += len(batch) / 256
        losses.append(round(float(loss["ner"]), 1))
        tell(
            f"epoch {epoch + 1} of {recipe.epochs}: loss {losses[-1]}, {time.perf_counter() - started:.0f} s"
        )
    facts = {"sentences": len(examples), "tokens": sum(len(e.x) for e in examples), "loss_per_epoch": losses}
    return Trained(nlp, facts)


def with_strange_words(item: Labelled, draw: random.Random) -> Labelled:
    """Return the text with some words outside its spans replaced by other common words, written alike.

    A model that knows every template by heart takes all it has not seen for names; this keeps it from that.
    """
    pieces: list[Segment] = []
    place = 0
    for start, end, kind in [*item.spans, (len(item.text), len(item.text), "")]:
        pieces.append(Segment(_WORD.sub(lambda word: _strange(word[0], draw), item.text[place:start])))
        if kind:
            pieces.append(Segment(item.text[start:end], kind))
        place = end
    return labelled(pieces)


def _strange(word: str, draw: random.Random) -> str:
    if draw.random() >= _STRANGE_SHARE:
        return word
    other = draw.choice(_plain_words())
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other


@cache
def _plain_words() -> tuple[str, ...]:
    return tuple(
        sorted(
            word for word in ordinary_words() if word.isalpha() and len(word) > 2 and not is_common_name(word)
        )
    )


def example(nlp: Language, item: Labelled) -> Example:
    """Return a training example; spans of other kinds than the model's are plain text to it."""
    table = word_table([canonical(item.text)])
    doc = nlp.make_doc(item.text)
    gold = doc.copy()
    gold.set_ents(_disjoint([_word_span(gold, table, span) for span in item.spans if span[2] in LABELS]))
    return Example(doc, gold)


def _word_span(doc: Doc, table: WordTable, span: tuple[int, int, str]) -> Span:
    """Return the words that a span of characters touches."""
    start, end, label = span
    first, last = np.searchsorted(table.ends, start, "right"), np.searchsorted(table.starts, end)
    return Span(doc, int(first), int(last), label=label)


def _disjoint(spans: Sequence[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted((s for s in spans if len(s)), key=lambda s: (s.start, -s.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def _batch_size(epoch: int) -> int:
    return 48 if epoch == 0 else 128
