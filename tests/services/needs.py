"""What the servers' harnesses share: free ports, and skipping (or failing) where a server is not installed."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from tests.paths import REPOSITORY

SERVICES = REPOSITORY / "services"
INSTALLED = Path(os.environ.get("RISKFLOW_SERVICES", REPOSITORY / ".services"))


def missing(server: str, part: str) -> None:
    """Skip the test and say how to enable it; fail it where RISKFLOW_REQUIRE_SERVICES=1 says that all must be there."""
    reason = f"{server} is not installed; `services/install.sh {part}` installs it"
    if os.environ.get("RISKFLOW_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class Server(Protocol):
    """What all harnesses of servers can do."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


AnyServer = TypeVar("AnyServer", bound=Server)


@contextmanager
def running(server: AnyServer) -> Iterator[AnyServer]:
    """Start a server for the block; stop it even where it did not come up."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Return when `ready` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} was not ready after {seconds:.0f} s")
        time.sleep(0.1)
