"""What the workflow's own rules cost Snakemake at many shards: a dry run, and a run with nothing to do.

    python -m benchmarks.snakemake_overhead [--shards 2000]

Against two bare Snakefiles with two jobs per shard and no params, logs, benchmarks, receipts or config. `same_shape`
joins them as ours are joined: the same inputs per job, behind a checkpoint. `chain` is the least that Snakemake can
be asked: one input per job and no checkpoint (which alone makes Snakemake look at every job behind it twice).
Outputs are made with `--touch`, so that nothing but Snakemake is measured. Figures are CPU seconds of the process,
which uses one core; each is the second of two calls, as the first compiles what Python reads.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
from pathlib import Path

import yaml

from benchmarks.measure import OUT, cpu_seconds_of, output_of, snakemake, write_result
from tests.workflow.harness import Workspace

CHAIN = """
N = {shards}
rule all:
    input: "merged"
rule source:
    output: expand("shard/{{i}}", i=range(N))
    shell: "touch {{output}}"
rule features:
    input: "shard/{{i}}"
    output: "features/{{i}}"
    shell: "touch {{output}}"
rule score:
    input: "features/{{i}}"
    output: "scored/{{i}}"
    shell: "touch {{output}}"
rule merge:
    input: expand("scored/{{i}}", i=range(N))
    output: "merged"
    shell: "touch {{output}}"
"""
SAME_SHAPE = """
N = {shards}
rule all:
    input: "merged"
rule source:
    output:
        directory("universe"), directory("metrics"), directory("programs"),
        "manifest", "nodes", "edges", "reference"
    shell: "touch {{output}}"
checkpoint plan:
    input: "manifest"
    output: "plan"
    shell: "touch {{output}}"
rule features:
    input: ancient("universe"), ancient("nodes"), ancient("edges"), ancient("plan")
    output: "features/{{i}}"
    shell: "touch {{output}}"
rule score:
    input:
        "features/{{i}}", ancient("universe"), ancient("metrics"), ancient("programs"),
        ancient("reference"), ancient("plan")
    output: "scored/{{i}}"
    shell: "touch {{output}}"
rule merge:
    input: expand("scored/{{i}}", i=range(N)), ancient("plan")
    output: "merged"
    shell: "touch {{output}}"
"""
FOLDERS = {"universe", "metrics", "programs"}  # the outputs that are folders, here and in the provider track
AT_ONCE = "import snakemake.executors.touch as t; t.Executor.SLEEPING_TIME = 0; from snakemake.cli import main; main()"


def figures(folder: Path, target: str, *config: str) -> dict[str, float]:
    """Return the CPU seconds of a dry run of everything, and of a run with nothing to do, in a workspace."""
    fresh = second_of_two(snakemake(target, "--dry-run", "--quiet", *config), folder)
    pretend_finished(folder, target, *config)
    idle = second_of_two(snakemake(target, "--quiet", *config), folder)
    return {"dry_run_seconds": fresh, "nothing_to_do_seconds": idle}


def second_of_two(command: list[str], folder: Path) -> float:
    """Return the CPU seconds of the second of two calls."""
    return [cpu_seconds_of(command, folder) for _ in range(2)][1]


def pretend_finished(folder: Path, target: str, *config: str) -> None:
    """Make every output as an empty file or folder and have Snakemake record it as made."""
    listed = output_of(snakemake(target, "--summary", "--quiet", *config), folder)
    for line in listed.splitlines()[1:]:
        path = folder / line.split("\t")[0]
        if path.name in FOLDERS:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    words = snakemake(target, "--touch", "--forceall", "--quiet", *config)[3:]
    output_of([sys.executable, "-c", AT_ONCE, *words], folder)


def bare(snakefile: str, folder: Path, shards: int) -> dict[str, float]:
    """Return the figures of a bare workflow with 2 jobs per shard."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "Snakefile").write_text(snakefile.format(shards=shards))
    return figures(folder, "merged")


def ours(folder: Path, shards: int) -> dict[str, float]:
    """Return the figures of the provider track at so many shards."""
    shutil.rmtree(folder, ignore_errors=True)
    workspace = Workspace.create(
        folder, {"tracks": ["providers"], "providers": {"shards": {"count": shards}}}
    )
    (folder / "overlay.yaml").write_text(yaml.safe_dump(workspace.overlay))
    return figures(folder, "results/providers/scores.parquet", "--configfile", "overlay.yaml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    rounds = [
        {
            "ours": ours(OUT / "overhead-ours", arguments.shards),
            "same_shape": bare(SAME_SHAPE, OUT / "overhead-bare", arguments.shards),
            "chain": bare(CHAIN, OUT / "overhead-bare", arguments.shards),
        }
        for _ in range(arguments.rounds)
    ]
    ratios = {
        f"{figure}_ratio_to_{other}": statistics.median(
            one["ours"][f"{figure}_seconds"] / one[other][f"{figure}_seconds"] for one in rounds
        )
        for figure in ("dry_run", "nothing_to_do")
        for other in ("same_shape", "chain")
    }
    write_result("snakemake_overhead", {"shards": arguments.shards, "rounds": rounds, **ratios})


if __name__ == "__main__":
    main()
