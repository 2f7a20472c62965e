"""Reads a JSON list of texts with Microsoft Presidio, in whose environment it runs, and writes what it finds.

It uses the first spaCy model that is installed, else a blank pipeline, with Presidio's default recognisers.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine


class OnePipeline(SpacyNlpEngine):
    """Presidio's spaCy engine over a pipeline that is loaded already."""

    def __init__(self, pipeline: spacy.language.Language) -> None:
        super().__init__()
        self.nlp = {"en": pipeline}


def main() -> None:
    logging.disable(logging.CRITICAL)
    models = [name for name in spacy.util.get_installed_models() if name.startswith("en")]
    pipeline = spacy.load(models[0]) if models else spacy.blank("en")
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    engine = AnalyzerEngine(registry=registry, nlp_engine=OnePipeline(pipeline), supported_languages=["en"])
    texts = json.load(sys.stdin)
    started = time.perf_counter()
    spans = [
        (number, found.start, found.end, found.entity_type)
        for number, text in enumerate(texts)
        for found in engine.analyze(text=text, language="en")
    ]
    seconds = time.perf_counter() - started
    reads = (
        f"the spaCy model {models[0]}"
        if models
        else "no spaCy model is installed: a blank pipeline, so no names"
    )
    json.dump(
        {"spans": spans, "seconds": seconds, "pipeline": reads, "recognizers": len(registry.recognizers)},
        sys.stdout,
    )


if __name__ == "__main__":
    main()
