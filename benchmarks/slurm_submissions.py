"""What a SLURM submission costs: the same short jobs one by one, as arrays and as groups, on a one-node cluster.

    python -m benchmarks.slurm_submissions [--jobs 12]

The jobs do nothing, so that only submission, queueing and the Snakemakes that start in each job are measured. Starts a
SLURM of its own. Writes benchmarks/out/slurm_submissions.json.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import write_result
from tests.services.slurm_server import SlurmServer

SNAKEFILE = """
rule all:
    input: expand("made/{{i}}", i=range({jobs}))
    localrule: True
rule make:
    output: "made/{{i}}"
    shell: "touch {{output}}"
"""
PROFILE = (
    *("--executor", "slurm", "--jobs", "100", "--cores", "2"),
    *("--slurm-status-command", "squeue", "--slurm-no-account"),
    *("--slurm-init-seconds-before-status-checks", "2"),
    *("--default-resources", "mem_mb=500", "runtime=5"),
)


def seconds(server: SlurmServer, jobs: int, *words: str) -> float:
    """Return the wall seconds of a run of `jobs` jobs in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs))
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *PROFILE, *words],
            cwd=folder,
            env={**os.environ, **server.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or len(list((Path(folder) / "made").iterdir())) != jobs:
            raise RuntimeError((done.stdout + done.stderr)[-4000:])
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=12)
    jobs = parser.parse_args().jobs
    server = SlurmServer()
    try:
        server.start()
        measured = {
            "one_by_one": seconds(server, jobs),
            "arrays": seconds(server, jobs, "--slurm-array-jobs", "all"),
            "two_groups": seconds(
                server, jobs, "--groups", "make=short", "--group-components", f"short={jobs // 2}"
            ),
        }
    finally:
        server.stop()
    write_result("slurm_submissions", {"jobs": jobs, "seconds": measured})


if __name__ == "__main__":
    main()
