"""Passwords: from a file or the environment, inside the process that needs them; never on a command line."""

from __future__ import annotations

import os
from pathlib import Path

from riskflow.errors import RiskflowError


def password(file: str, variable: str, key: str) -> str:
    """Return the password in `file` (its first line), or in the environment variable when no file is given.

    `key` is the config key that names the file, for the error message. Neither one given is an error too.
    """
    if not file:
        found = os.environ.get(variable, "")
        if not found:
            raise RiskflowError(
                f"no password: {key} is empty and {variable} is not set", f"set {key} to a file"
            )
        return found
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RiskflowError(f"{key}: cannot read {file}: {os.strerror(error.errno or 0)}") from None
    if not lines or not lines[0]:
        raise RiskflowError(f"{key}: {file} is empty", "write the password on its first line")
    return lines[0]
