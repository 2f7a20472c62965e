"""Pause Python's search for reference cycles while millions of small objects without any are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_cycle_search() -> Iterator[None]:
    """Pause the search, which would look through all of them again and again: a fifth of the time of ingest.

    Objects are freed as ever when nothing refers to them. Who works for long calls `gc.collect` between portions.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
