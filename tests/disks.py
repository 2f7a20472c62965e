"""File systems that a test may fill or lock; tests that may not mount skip and say so."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SPARE_BYTES = 4 << 20


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Lay a file system under a folder that has room for what is in it and little more."""
    kept = folder.with_name("kept")
    folder.rename(kept)
    folder.mkdir()
    size = sum(path.stat().st_blocks * 512 for path in kept.rglob("*")) + SPARE_BYTES
    with mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        subprocess.run(["cp", "-a", f"{kept}/.", str(folder)], check=True)
        yield


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root; run the tests as root, as CI does")
    done = subprocess.run(["mount", *words, str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this machine does not let root mount (a container without CAP_SYS_ADMIN)")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill_disk(folder: Path) -> Path:
    """Fill the file system of a folder to its last page, and return the file that does."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as handle:
        try:
            while True:
                handle.write(bytes(4096))
        except OSError:
            return ballast
