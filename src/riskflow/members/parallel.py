"""Work on pieces in threads: polars and numpy let go of the interpreter while they compute."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_thread = threading.local()
Item = TypeVar("Item")
Made = TypeVar("Made")


def threads() -> int:
    """Return how many threads to work with: as many as polars, whose number the rules set."""
    return int(os.environ.get("POLARS_MAX_THREADS") or os.cpu_count() or 1)


def mapped(work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Yield the results in the order of the items; only as many items as threads are taken ahead."""
    with _pool() as pool:
        ahead: deque[Future[Made]] = deque()
        for item in items:
            ahead.append(pool.submit(work, item))
            if len(ahead) > threads():
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def each(work: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
    """Return the results in the order of the items; one after another where threads are at work already."""
    if getattr(_thread, "works", False):
        return [work(item) for item in items]
    with _pool() as pool:
        return list(pool.map(work, items))


def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), initializer=lambda: setattr(_thread, "works", True))
