"""What the workflow's own rules cost Snakemake: dry run and no-op at many shards, against a bare Snakefile.

    python -m benchmarks.snakemake_overhead [--shards 2000]

The bare Snakefile has as many jobs, joined in the same shape, with no params, logs or config. Outputs are made
with `--touch`, so that nothing but Snakemake is measured.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import yaml

from benchmarks.measure import OUT, seconds_of, snakemake, write_result
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


def bare(folder: Path, shards: int) -> dict[str, float]:
    """Return dry-run seconds of a fresh bare workflow with 2 jobs per shard, in a folder of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "Snakefile").write_text(BARE.format(shards=shards))
    return {"dry_run_seconds": seconds_of(snakemake("--dry-run", "--quiet"), folder)}


def ours(folder: Path, shards: int) -> dict[str, float]:
    """Return dry-run seconds of a fresh riskflow workspace at so many shards."""
    shutil.rmtree(folder, ignore_errors=True)
    workspace = Workspace.create(folder, {"providers": {"shards": {"count": shards}}})
    (folder / "overlay.yaml").write_text(yaml.safe_dump(workspace.overlay))
    target = "results/providers/scores.parquet"
    command = snakemake(target, "--dry-run", "--quiet", "--configfile", "overlay.yaml")
    return {"dry_run_seconds": seconds_of(command, folder)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=2000)
    shards = parser.parse_args().shards
    pairs = [(ours(OUT / "overhead-ours", shards), bare(OUT / "overhead-bare", shards)) for _ in range(3)]
    ratios = sorted(a["dry_run_seconds"] / b["dry_run_seconds"] for a, b in pairs)
    write_result(
        "snakemake_overhead",
        {
            "shards": shards,
            "ours": [a for a, _ in pairs],
            "bare": [b for _, b in pairs],
            "dry_run_ratio": ratios[1],
        },
    )


if __name__ == "__main__":
    main()
