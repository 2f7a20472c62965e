"""The environment of a run's jobs, set once by the Snakefile and inherited by every job."""

from __future__ import annotations

import os
import sys
from pathlib import Path

OWNER_VARIABLE = "RISKFLOW_OWNER_PID"
"""Environment variable with the process whose life is the run's: a started run without it has failed."""
COPIES_VARIABLE = "RISKFLOW_LOCAL_COPIES"
"""Environment variable with the folder of local copies, where a storage provider keeps the workflow's files."""
CODE_FACTS_VARIABLE = "RISKFLOW_CODE_FACTS"
"""Environment variable with the file in which the plan remembers what it has read of the code."""

KERNEL_VARIABLE, KERNEL = "OPENBLAS_CORETYPE", "Haswell"
"""numpy's OpenBLAS picks its code by the processor, and with it the last bits of sums, by which a trained model becomes
another. So it is told: code for any processor with AVX2, which polars needs as well; other families ignore it."""

LEAN = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "_RJEM_MALLOC_CONF": "narenas:2",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}
"""What keeps a job small and quick. polars and DuckDB have threads of their own, beside which those of OpenBLAS wait.
The memory that an array of numpy or polars lets go of is used again by the next one, whichever thread asks: glibc would
give it back to the system, which clears new pages for the next, and jemalloc would keep it apart for many threads. And
pydantic need not look through all installed packages for plugins at every start of a job."""


def prepare_environment(
    checkout: Path, umask: str, local_copies: str = "", code_facts: Path | None = None
) -> None:
    """Let jobs find riskflow in this checkout and the Python that runs Snakemake, and keep what they make private.

    `umask` is octal text: 027 gives files 0640 and folders 0750. RISKFLOW_OWNER_PID tells a job which process
    owns the run, so that a run whose owner died is not told as running. `local_copies` is the folder that
    `workflow_path` takes away. `code_facts` spares jobs reading code that the plan has read. Matrices are multiplied
    by the same code on every machine, so that bytes are the same. What the user has set stays.
    """
    os.umask(int(umask, 8))
    os.environ.setdefault(OWNER_VARIABLE, str(os.getpid()))
    os.environ[COPIES_VARIABLE] = local_copies
    os.environ[CODE_FACTS_VARIABLE] = str(code_facts.absolute()) if code_facts else ""
    for variable, value in {KERNEL_VARIABLE: KERNEL, **LEAN}.items():
        os.environ.setdefault(variable, value)
    _prepend("PYTHONPATH", str(checkout / "src"))
    _prepend("PATH", str(Path(sys.executable).parent))


def workflow_path(path: Path) -> str:
    """Return the path of a file as the rules name it, so that a receipt is the same with a storage provider."""
    copies = os.environ.get(COPIES_VARIABLE, "")
    return str(path.relative_to(copies) if copies and path.is_relative_to(copies) else path)


def local_copy(path: Path) -> Path:
    """Return where a job has a file of the workflow that its config names: the local copy, if there is one."""
    copies = os.environ.get(COPIES_VARIABLE, "")
    copy = Path(copies, path)
    return copy if copies and copy.is_file() else path


def _prepend(variable: str, folder: str) -> None:
    rest = os.environ.get(variable, "")
    if folder not in rest.split(os.pathsep):
        os.environ[variable] = os.pathsep.join(filter(None, [folder, rest]))
