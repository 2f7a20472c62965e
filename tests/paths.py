"""Where the repository and the public data beside it are; tests that need absent data skip and say so."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"


def shared_data(name: str) -> Path:
    """Return the folder of a public data set, or skip the test."""
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"public data set {name} is not here (looked in ../shared/data beside the repository)")
    return folder
