"""Writing files so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from riskflow.errors import RiskflowError

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})
_ALMOST_FULL = 1 << 16


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
        unwritten = cannot_write(path, error)
        if unwritten is None:
            raise
        raise unwritten from None
    finally:
        with suppress(OSError):  # on a read-only file system there is nothing to remove
            temporary.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Raise RiskflowError where a folder, or the nearest one above it that there is, may not be written."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise RiskflowError(
            f"cannot write {folder}: {there} is for reading only",
            "give write permission there, or name another folder in the config (results: …), "
            "then run the same command again",
        )


def _error_number(error: Exception, folder: Path) -> int:
    """Return the operating system's error number.

    DuckDB gives only its words. polars gives it in the text, as "(os error 28)", and not even there when a page's
    header could not be written: then the file system in question is asked.
    """
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if type(error).__module__ == "_duckdb":
        return next((code for code in _UNWRITABLE if os.strerror(code) in str(error)), 0)
    found = re.search(r"\(os error (\d+)\)", str(error))
    if found or "thrift: transport error" not in str(error):
        return int(found[1]) if found else 0
    left = os.statvfs(folder)
    return errno.ENOSPC if left.f_bavail * left.f_frsize < _ALMOST_FULL else errno.EIO


def cannot_write(path: Path, error: Exception) -> RiskflowError | None:
    """Return what to tell a person when an error is the file system's refusal to write `path`, else None."""
    code = _error_number(error, path.parent)
    if code not in _UNWRITABLE:
        return None
    return RiskflowError(
        f"cannot write {path}: {os.strerror(code)}",
        "nothing was left behind: free space or give write permission there, then run the same command again",
    )


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
