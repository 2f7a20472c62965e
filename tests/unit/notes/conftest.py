"""The name model that the tests of this folder share: it takes some seconds to train."""

from pathlib import Path

import pytest

from riskflow.notes.ner import model_file
from riskflow.notes.ner.train import Recipe, train


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model trained for a few seconds: good enough to tell names from prose."""
    path = tmp_path_factory.mktemp("model") / "names.model"
    model_file.save(train(Recipe(sentences=4000, epochs=3, seed=4)).nlp, path)
    return path
