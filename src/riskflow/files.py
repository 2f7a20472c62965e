"""Writing files so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from riskflow.errors import RiskflowError

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success sync it and rename it to `path`, else remove it.

    A full disk or a folder that may not be written is a RiskflowError that names `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except Exception as error:
        code = _error_number(error)
        if code not in _UNWRITABLE:
            raise
        raise RiskflowError(
            f"cannot write {path}: {os.strerror(code)}",
            "nothing was left behind: free space or give write permission there, then run the same command again",
        ) from None
    finally:
        with suppress(OSError):  # on a read-only file system there is nothing to remove
            temporary.unlink(missing_ok=True)


def _error_number(error: Exception) -> int:
    """Return the operating system's error number; polars gives it only in the text, as "(os error 28)"."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else 0


def write_text(text: str, path: Path) -> None:
    """Write a text file (JSON, HTML) as atomically as a parquet artifact."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
