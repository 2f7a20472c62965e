"""A one-node SLURM that the tests own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.services.needs import SERVICES, free_port, missing, wait_until


class SlurmServer:
    """A private cluster of this machine; `stop_controller` is an outage, `start` again ends it."""

    def __init__(self) -> None:
        if shutil.which("sbatch") is None or not Path("/usr/sbin/munged").exists():
            missing("SLURM", "slurm")
        if os.geteuid() != 0:
            missing("SLURM (its test cluster runs as root)", "slurm")
        self.folder = Path(tempfile.mkdtemp(prefix="riskflow-slurm-"))
        self.folder.chmod(0o755)  # munged runs as a user of its own
        self._ports = {"SLURM_CTLD_PORT": str(free_port()), "SLURM_D_PORT": str(free_port())}

    @property
    def environment(self) -> dict[str, str]:
        """What points Snakemake's sbatch, squeue and srun at this cluster."""
        return {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }

    def start(self) -> None:
        """Start what is not running and wait until the node takes jobs."""
        self._script("up")

    def stop(self) -> None:
        """Cancel all jobs, stop the cluster and remove its folder."""
        self._script("down")
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop_controller(self) -> None:
        """Stop slurmctld only: jobs go on, nobody can submit or ask."""
        pid = (self.folder / "slurmctld.pid").read_text().strip()
        subprocess.run(["kill", pid], check=True)
        wait_until(lambda: not is_running(int(pid)), 30, "slurmctld's end")

    def steps(self) -> list[str]:
        """Return the ids of the job steps that have begun: a stage's own process is on its way."""
        listed = self.command("squeue", "-h", "-s", "-o", "%i").split()
        return [step for step in listed if not step.endswith((".batch", ".extern"))]

    def command(self, *words: str) -> str:
        """Run a command of SLURM on this cluster and return what it prints."""
        done = subprocess.run(
            words,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def _script(self, command: str) -> None:
        subprocess.run(
            [str(SERVICES / "slurm.sh"), command, str(self.folder)],
            check=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            env=os.environ | self._ports | {"SLURM_MEMORY": "poll"},
        )


def is_running(process: int) -> bool:
    """Return whether a process runs; one that ended may stay listed where no init collects it."""
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    except OSError:
        return False
