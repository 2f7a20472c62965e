"""The order of the tests: files that start workflows and servers first, so that no worker is left alone with them."""

from __future__ import annotations

import pytest

LONG = ("tests/workflow", "tests/services")
"""The Makefile hands whole files to workers, in this order: what a file's tests share is made once."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; the order within a file stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
