"""The NER detector: texts to sentences, the doubtful ones to the model once each, spans back to every text."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import orjson

from riskflow.notes.ner.reader import Spans
from riskflow.notes.ner.sentences import may_hold_names, sentences
from riskflow.notes.ner.worker import load_model
from riskflow.notes.redact.spans import Detection, span_frame
from riskflow.notes.redact.text import canonical

POOL_FROM = 8_000
"""Sentences from which worker processes pay: each takes about a second to start."""

_FAILED = "the name model failed on it"
_CHUNK = 8_192
"""Sentences that are read at a time; between chunks the model forgets words, so that memory stays flat."""


class NerDetector:
    """Finds names and places with a spaCy pipeline: the trained one (a file) or an installed one by its name.

    `prefilter` passes over sentences without a word that could be a name. `processes` above 1 reads large
    requests of an installed pipeline in as many processes; the trained model is too quick for that to pay. A text of
    which any sentence fails is in `Detection.failed`.
    """

    def __init__(
        self, model: str | Path, batch: int = 256, processes: int = 1, prefilter: bool = True
    ) -> None:
        self.model, self.batch, self.processes, self.prefilter = str(model), batch, processes, prefilter
        self._loaded = load_model(self.model)

    @property
    def version(self) -> str:
        """Name, version and digest of the model, for example `ner:en_clinical_notes@1.0.0-3f2a91bc`."""
        return self._loaded.version

    def detect(self, texts: Sequence[str]) -> Detection:
        """Return names (NAME) and places (GEO) of every text."""
        places, unique, failed = self._cut(texts)
        found = self._read_doubtful(unique)
        rows: list[tuple[int, int, int, str, str]] = []
        version = self.version
        for text_id, start, sentence in places:
            spans = found[sentence]
            if spans is None:
                failed[text_id] = _FAILED
            else:
                rows += [(text_id, start + s, start + e, kind, version) for s, e, kind in spans]
        return Detection(span_frame(row for row in rows if row[0] not in failed), failed)

    def _cut(self, texts: Sequence[str]) -> tuple[list[tuple[int, int, int]], list[str], dict[int, str]]:
        """Return (text, offset, sentence number) of all sentences, the different ones, and texts not readable."""
        unique: dict[str, int] = {}
        places: list[tuple[int, int, int]] = []
        failed: dict[int, str] = {}
        for text_id, text in enumerate(texts):
            if not isinstance(text, str):
                failed[text_id] = "it is not a text"
                continue
            plain = canonical(text)
            for start, end in sentences(plain):
                sentence = plain[start:end]
                places.append((text_id, start, unique.setdefault(sentence, len(unique))))
        return places, list(unique), failed

    def _read_doubtful(self, sentences: list[str]) -> list[Spans | None]:
        """Return spans per sentence, none of those that the prefilter passes over."""
        if not self.prefilter or not sentences:
            return self._read(sentences)
        doubtful = np.flatnonzero(may_hold_names(sentences)).tolist()
        found: list[Spans | None] = [[] for _ in sentences]
        for number, spans in zip(doubtful, self._read([sentences[n] for n in doubtful]), strict=True):
            found[number] = spans
        return found

    def _read(self, texts: list[str]) -> list[Spans | None]:
        if self._loaded.quick or self.processes == 1 or len(texts) < POOL_FROM:
            return [s for part in _parts(texts) for s in self._loaded.read(part, self.batch)]
        return _read_in_pool(texts, self.model, self.batch, self.processes)


def _read_in_pool(texts: list[str], model: str, batch: int, processes: int) -> list[Spans | None]:
    """Return spans per sentence, read by worker processes; what a dying worker leaves unread is None (failed)."""
    results: list[Spans | None] = [None] * len(texts)
    chunk = min(_CHUNK, -(-len(texts) // (2 * processes)))
    starts = iter(range(0, len(texts), chunk))
    lock = threading.Lock()

    def next_start() -> int | None:
        with lock:
            return next(starts, None)

    def work() -> None:
        command = [sys.executable, "-m", "riskflow.notes.ner.worker", model, str(batch)]
        single = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        try:
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=single
            ) as process:
                assert process.stdin is not None and process.stdout is not None
                while (start := next_start()) is not None:
                    process.stdin.write(orjson.dumps(texts[start : start + chunk]) + b"\n")
                    process.stdin.flush()
                    if not (answer := process.stdout.readline()):
                        return
                    results[start : start + chunk] = orjson.loads(answer)
        except BrokenPipeError:
            return  # what it had is None, and withheld

    workers = [threading.Thread(target=work) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results


def _parts(texts: list[str]) -> Iterator[list[str]]:
    rest = iter(texts)
    while part := list(islice(rest, _CHUNK)):
        yield part


def detector_for(model: Path, batch: int, processes: int) -> NerDetector:
    """Return the detector of the training stage's artifact: the trained model, or a pointer to an installed one."""
    head = model.read_bytes()[:1]
    named = str(orjson.loads(model.read_bytes())["installed"]) if head == b"{" else model
    return NerDetector(named, batch, processes)
