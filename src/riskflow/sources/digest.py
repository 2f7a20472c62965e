"""Digests of source files, remembered by size, times and inode, so that a large file is hashed once."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from riskflow.errors import RiskflowError
from riskflow.files import write_text


def source_digest(path: Path, memory: Path) -> str:
    """Return the sha256 of a file's bytes.

    `memory` is a JSON file with the digests already known. A file whose size, inode and times
    (modification, and the kernel's own change time, which nobody can put back) are as remembered is not
    read again; any other is, so an edit is seen whatever its date, and a touch without an edit changes nothing.
    Where `memory` cannot be written (a full disk, a folder for reading only) the file is only read again.
    """
    if not path.exists():
        raise RiskflowError(f"source file not found: {path}", "check the path in your config file")
    status = path.stat()
    identity = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    known = _load(memory)
    remembered = known.get(str(path))
    if remembered and remembered["identity"] == identity:
        return str(remembered["sha256"])
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    known[str(path)] = {"identity": identity, "sha256": digest}
    with suppress(RiskflowError):
        write_text(json.dumps(known, indent=1, sort_keys=True), memory)
    return digest


def _load(memory: Path) -> dict[str, dict[str, object]]:
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        path: known
        for path, known in content.items()
        if isinstance(known, dict) and {"identity", "sha256"} <= set(known)
    }
