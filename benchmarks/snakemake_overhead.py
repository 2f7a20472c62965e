"""What the workflow's own rules cost Snakemake: dry run and no-op at many shards, against a bare Snakefile.

    python -m benchmarks.snakemake_overhead [--shards 2000]

The bare Snakefile has as many jobs, joined in the same shape, with no params, logs or config. Outputs are made
with `--touch`, so that nothing but Snakemake is measured.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
from pathlib import Path

import yaml

from benchmarks.measure import OUT, output_of, seconds_of, snakemake, write_result
from tests.workflow.harness import Workspace

BARE = """
N = {shards}
rule all:
    input: "merged"
rule source:
    output: expand("shard/{{i}}", i=range(N))
    shell: "mkdir -p shard; for i in $(seq 0 $(({shards} - 1))); do touch shard/$i; done"
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


def figures(folder: Path, target: str, *config: str) -> dict[str, float]:
    """Return the seconds of a fresh dry run, and of a run with nothing to do, in a workspace."""
    fresh = seconds_of(snakemake(target, "--dry-run", "--quiet", *config), folder)
    pretend_finished(folder, target, *config)
    idle = seconds_of(snakemake(target, "--quiet", *config), folder)
    return {"dry_run_seconds": fresh, "nothing_to_do_seconds": idle}


def pretend_finished(folder: Path, target: str, *config: str) -> None:
    """Make every output as an empty file and have Snakemake record it as made."""
    listed = output_of(snakemake(target, "--summary", "--quiet", *config), folder)
    for line in listed.splitlines()[1:]:
        path = folder / line.split("\t")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    seconds_of(snakemake(target, "--touch", "--quiet", *config), folder)


def bare(folder: Path, shards: int) -> dict[str, float]:
    """Return the figures of a bare workflow with 2 jobs per shard."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "Snakefile").write_text(BARE.format(shards=shards))
    return figures(folder, "merged")


def ours(folder: Path, shards: int) -> dict[str, float]:
    """Return the figures of the provider track at so many shards."""
    shutil.rmtree(folder, ignore_errors=True)
    workspace = Workspace.create(folder, {"providers": {"shards": {"count": shards}}})
    (folder / "overlay.yaml").write_text(yaml.safe_dump(workspace.overlay))
    return figures(folder, "results/providers/scores.parquet", "--configfile", "overlay.yaml")


def ratio(pairs: list[tuple[dict[str, float], dict[str, float]]], figure: str) -> float:
    """Return the median of ours ÷ bare."""
    return statistics.median(a[figure] / b[figure] for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    pairs = [
        (ours(OUT / "overhead-ours", arguments.shards), bare(OUT / "overhead-bare", arguments.shards))
        for _ in range(arguments.pairs)
    ]
    result = {"shards": arguments.shards, "ours": [a for a, _ in pairs], "bare": [b for _, b in pairs]}
    ratios = {
        "dry_run_ratio": ratio(pairs, "dry_run_seconds"),
        "nothing_to_do_ratio": ratio(pairs, "nothing_to_do_seconds"),
    }
    write_result("snakemake_overhead", result | ratios)


if __name__ == "__main__":
    main()
