"""The environment of a run's jobs, set once by the Snakefile and inherited by every job."""

from __future__ import annotations

import os
import sys
from pathlib import Path

OWNER_VARIABLE = "RISKFLOW_OWNER_PID"
"""Environment variable with the process whose life is the run's: a started run without it has failed."""


def prepare_environment(checkout: Path, umask: str) -> None:
    """Let jobs find riskflow in this checkout and the Python that runs Snakemake, and keep what they make private.

    `umask` is octal text: 027 gives files 0640 and folders 0750. RISKFLOW_OWNER_PID tells a job which process
    owns the run, so that a run whose owner died is not told as running.
    """
    os.umask(int(umask, 8))
    os.environ.setdefault("RISKFLOW_OWNER_PID", str(os.getpid()))
    _prepend("PYTHONPATH", str(checkout / "src"))
    os.environ.setdefault(OWNER_VARIABLE, str(os.getpid()))
    _prepend("PATH", str(Path(sys.executable).parent))


def _prepend(variable: str, folder: str) -> None:
    rest = os.environ.get(variable, "")
    if folder not in rest.split(os.pathsep):
        os.environ[variable] = os.pathsep.join(filter(None, [folder, rest]))
