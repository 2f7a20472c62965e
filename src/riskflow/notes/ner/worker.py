"""Read sentences with a model, the trained one by numpy, an installed pipeline by spaCy; or as a process of its own.

As a program it answers each line of standard input (a JSON list of sentences) by one line: for every sentence
its spans, or null when the model failed on it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import orjson

from riskflow.errors import RiskflowError
from riskflow.notes.ner import lexicon, model_file, reader, sentences, words
from riskflow.notes.ner.network import VERSION
from riskflow.notes.ner.reader import Reader, Spans
from riskflow.notes.redact.rule import version_of

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

KIND_OF_LABEL = {
    "NAME": "NAME", "PERSON": "NAME", "PER": "NAME", "PATIENT": "NAME", "STAFF": "NAME",
    "GEO": "GEO", "GPE": "GEO", "LOC": "GEO", "FAC": "GEO", "LOCATION": "GEO", "HOSP": "GEO", "ORG": "GEO",
}  # fmt: skip
"""Label of a pipeline → kind of identifier; other labels (quantities, dates) are left to the rules."""


class Model(Protocol):
    """Reads sentences; `version` names it with a digest, `quick` says that no worker process pays."""

    quick: ClassVar[bool]
    version: str

    def read(self, sentences: Sequence[str], batch: int) -> list[Spans | None]:
        """Return the spans of each sentence; None for one on which the model failed, and for it alone."""
        ...


@dataclass
class Trained:
    """The model that the workflow trained."""

    quick: ClassVar[bool] = True
    reader: Reader
    version: str

    def read(self, sentences: Sequence[str], batch: int) -> list[Spans | None]:
        """Return the spans of each sentence; a failure is narrowed down to the sentences at fault."""
        try:
            return list(self.reader.read(sentences))
        except Exception:  # whatever it is: only the text at fault is withheld
            if len(sentences) <= 1:
                return [None] * len(sentences)
        middle = len(sentences) // 2
        return self.read(sentences[:middle], batch) + self.read(sentences[middle:], batch)


@dataclass
class Installed:
    """A spaCy pipeline that is installed."""

    quick: ClassVar[bool] = False
    nlp: Language
    version: str

    def read(self, sentences: Sequence[str], batch: int) -> list[Spans | None]:
        """Return the spans of each sentence, read in batches, one by one where a batch fails."""
        try:
            with self.nlp.memory_zone():
                return [_spans(doc) for doc in self.nlp.pipe(sentences, batch_size=batch)]
        except Exception:  # any fault of a model: read one by one, so that only the text at fault is withheld
            return [self._read_alone(sentence) for sentence in sentences]

    def _read_alone(self, sentence: str) -> Spans | None:
        try:
            with self.nlp.memory_zone():
                return _spans(self.nlp(sentence))
        except Exception:  # the text is reported as failed and will be withheld
            return None


def load_model(model: str) -> Model:
    """Return the model of a file that training wrote, else the pipeline of a folder or installed package.

    The version names weights and code.
    """
    path = Path(model)
    if path.is_file():
        data = path.read_bytes()
        return Trained(
            Reader(model_file.network(data)), f"ner:{VERSION}-{_short(hashlib.sha256(_code() + data))}"
        )
    nlp = load_pipeline(model)
    meta = nlp.meta
    return Installed(nlp, f"ner:{meta['lang']}_{meta['name']}@{meta['version']}-{_digest(path, meta)}")


def load_pipeline(model: str) -> Language:
    """Return the spaCy pipeline of a trained model's file, or of a folder or installed package."""
    path = Path(model)
    if path.is_file():
        return model_file.loads(path.read_bytes())
    # spaCy takes half a second to import, and the trained model does without it
    import spacy

    try:
        nlp = spacy.load(model, exclude=["lemmatizer", "textcat"])
    except OSError:
        raise RiskflowError(
            f"notes.ner.model: there is no spaCy pipeline {path.name}",
            "install it into the environment, or write `trained` for the workflow's own",
        ) from None
    if not {"ner", "beam_ner", "transformer"} & set(nlp.pipe_names):
        raise RiskflowError(f"notes.ner.model: the pipeline {path.name} has no `ner` component")
    return nlp


def _spans(doc: Doc) -> Spans:
    found = ((ent, KIND_OF_LABEL.get(ent.label_)) for ent in doc.ents)
    return [(ent.start_char, ent.end_char, kind) for ent, kind in found if kind is not None]


def _digest(model: Path, meta: dict[str, object]) -> str:
    """Digest of the model's files; of an installed package's description where it has no folder here."""
    digest = hashlib.sha256(_code())
    if model.is_dir():
        for path in sorted(p for p in model.rglob("*") if p.is_file()):
            digest.update(str(path.relative_to(model)).encode() + path.read_bytes())
    else:
        digest.update(orjson.dumps(meta, option=orjson.OPT_SORT_KEYS, default=str))
    return _short(digest)


@cache
def _code() -> bytes:
    """Digest of how sentences are cut, chosen and read: with other code the same weights are another version."""
    return version_of((lexicon, reader, sentences, words)).encode()


def _short(digest: hashlib._Hash) -> str:
    return digest.hexdigest()[:8]


def serve(model: str, batch: int, requests: Iterable[bytes]) -> None:
    """Answer requests until there are no more."""
    loaded = load_model(model)
    for line in requests:
        sys.stdout.buffer.write(orjson.dumps(loaded.read(orjson.loads(line), batch)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.stdin.buffer)
