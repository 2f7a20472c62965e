"""Run the benchmarks and write their table: `make bench`, or `python -m benchmarks [NAME ...] [--table]`.

Each benchmark is a module of this package with a `main()` that measures and writes benchmarks/out/<name>.json.
Those that need a server say so and are left out where it is absent. The numbers are one run's on one machine:
look at the ratios, which are measured in one run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from benchmarks.table import write_table

DEFAULT = (
    "providers_scale",
    "snakemake_overhead",
    "members_scale",
    "notes_scale",
    "notes_quality",
    "notes_memory",
)
WITH_SERVERS = ("neo4j_graph", "postgres_publish", "slurm_submissions")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", help=f"of {', '.join((*DEFAULT, *WITH_SERVERS))}; without names: all"
    )
    parser.add_argument(
        "--table", action="store_true", help="only write docs/benchmarks.md from the JSON files"
    )
    arguments = parser.parse_args()
    failed = []
    for name in [] if arguments.table else arguments.names or (*DEFAULT, *WITH_SERVERS):
        print(f"== {name}", flush=True)
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False)
        print(f"== {name}: {time.perf_counter() - started:.0f} s, exit {done.returncode}", flush=True)
        failed += [name] if done.returncode else []
    write_table()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
