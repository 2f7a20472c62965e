"""Measure the members track end to end, raw parquet to warehouse: ingest, record, score, publish, in one process each.

python benchmarks/members_pipeline.py --members 10000 100000 1000000 --output benchmarks/out/members_pipeline.json
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from pathlib import Path

from riskflow.config.members import MembersConfig, MembersDemoStage, MembersIngestStage, MembersScoreStage
from riskflow.config.members_runs import MembersPublishStage, MembersRecordStage, MembersRunsSection
from riskflow.members import demo, ingest_stage, record, warehouse
from riskflow.members.engine import stage as engine_stage
from riskflow.members.tables.load import folder

YEAR = 2025
ROOT = Path(__file__).parents[1]
TABLES = ("spans", "diagnoses", "drugs")


def _config(stage, members):
    whole = MembersConfig()
    whole = whole.model_copy(update={"demo": whole.demo.model_copy(update={"members": members})})
    return stage(**{name: getattr(whole, name) for name in stage.model_fields})


def make_demo(base, members):
    files = {table: base / f"raw_{table}.parquet" for table in TABLES}
    demo.run(year=YEAR, **files, config=_config(MembersDemoStage, members))


def ingest(base, members):
    ingest_stage.run(
        **{f"{table}_source": base / f"raw_{table}.parquet" for table in TABLES},
        year=YEAR,
        **_clean(base),
        quarantine=base / "quarantine.parquet",
        config=_config(MembersIngestStage, members),
    )


def start(base, members):
    record.run(
        **_clean(base),
        tables=_cms(),
        program=ROOT / "src/riskflow/members/engine/stage.py",
        warehouse_file=base / "warehouse.duckdb",
        output=base / "run.parquet",
        config=MembersRecordStage(runs=MembersRunsSection()),
    )


def score(base, members):
    engine_stage.run(
        **_clean(base),
        tables=_cms(),
        output=base / "scores.parquet",
        rejected=base / "rejected.parquet",
        config=_config(MembersScoreStage, members),
    )


def publish(base, members):
    warehouse.run(
        current=base / "run.parquet",
        current_tables=[base / f"{name}.parquet" for name in ("scores", "rejected", "spans")],
        prior_tables=[],
        comparison_tables=[],
        decomposition_tables=[],
        warehouse_file=base / "warehouse.duckdb",
        config=MembersPublishStage(runs=MembersRunsSection()),
    )


def _clean(base):
    return {table: base / f"{table}.parquet" for table in TABLES}


def _cms():
    return sorted(folder(YEAR).glob("*.parquet"))


def _measure(step, base, members, results):
    started, cpu = time.perf_counter(), time.process_time()
    step(base, members)
    results.put(
        {
            "seconds": round(time.perf_counter() - started, 2),
            "cpu_seconds": round(time.process_time() - cpu, 2),
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    )


def measured(members):
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder_name:
        steps = {}
        for step in (make_demo, ingest, start, score, publish):
            results = context.Queue()
            process = context.Process(target=_measure, args=(step, Path(folder_name), members, results))
            process.start()
            steps[step.__name__] = results.get()
            process.join()
        seconds = round(sum(steps[name]["seconds"] for name in ("ingest", "start", "score", "publish")), 2)
        peak = max(one["peak_rss_bytes"] for one in steps.values())
        return {"members": members, "seconds": seconds, "peak_rss_bytes": peak, "steps": steps}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rows = {"cores": os.cpu_count(), "sizes": [measured(members) for members in arguments.members]}
    print(json.dumps(rows, indent=1))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
