"""How fast scores reach PostgreSQL: first publish, 1% changed, again; against a raw COPY of the same rows.

The peaks at 10,000 rows and at all of them say what memory a row costs.

    python -m benchmarks.postgres_publish [rows]

Starts a PostgreSQL of its own with fsync on. Writes benchmarks/out/postgres_publish.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import polars as pl
from psycopg import sql

from benchmarks.measure import REPOSITORY, write_result
from riskflow.publish.postgres_copy import csv_bytes
from riskflow.publish.postgres_difference import ROWS_PER_CHUNK
from riskflow.resources import text
from tests.services.postgres_server import PostgresServer
from tests.services.published import scores, written

PACKAGE = "riskflow.providers.publish"
PUBLISH = """
import json, re, resource, sys, time
from pathlib import Path
from riskflow.config.providers import DeltaSection, ScoringSection
from riskflow.config.publish import PostgresSection
from riskflow.providers.publish.postgres import PublishToPostgresStage, run
settings, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
postgres = PostgresSection(**settings)
config = PublishToPostgresStage(scoring=ScoringSection(), delta=DeltaSection(), postgres=postgres)
began = time.perf_counter()
receipt = run(scores=folder / "scores.parquet", receipts=[folder / "explain.json"], config=config)
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_SELF)
# of this program alone: ru_maxrss counts the program that started it
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
cpu = round(used.ru_utime + used.ru_stime, 2)
print(json.dumps({"seconds": round(seconds, 2), "cpu_seconds": cpu, "peak_mib": peak} | receipt.counts))
"""


def publish_in_a_process(settings: dict[str, object], folder: Path) -> dict[str, float]:
    """Return seconds, peak memory and counts of one publish."""
    command = [sys.executable, "-c", PUBLISH, json.dumps(settings), str(folder)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    print(done.stdout, file=sys.stderr)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def raw_copy_seconds(server: PostgresServer, folder: Path) -> float:
    """Return the seconds of a COPY of the same bytes into a table of the same columns and key."""
    rows = folder / "rows.csv"
    with duckdb.connect() as source:
        source.execute(text(PACKAGE, "scores_rows.sql"))
        source.execute(text(PACKAGE, "incoming.sql"), {"scores": str(folder / "scores.parquet")})
        reader = source.sql(
            "SELECT *, hash(npi)::HUGEINT - 9223372036854775808 AS row_hash FROM incoming ORDER BY npi"
        )
        with rows.open("wb") as handle:
            for batch in reader.to_arrow_reader(ROWS_PER_CHUNK):
                handle.write(csv_bytes(pl.DataFrame(batch)))
        names = list(reader.columns)
    with server.connect() as connection:
        connection.execute("CREATE TABLE raw (LIKE riskflow.provider_risk_scores INCLUDING INDEXES)")
        connection.execute("ALTER TABLE raw ALTER run_id DROP NOT NULL, ALTER updated_at DROP NOT NULL")
        columns = sql.SQL(", ").join(map(sql.Identifier, names))
        began = time.perf_counter()
        with (
            rows.open("rb") as handle,
            connection.cursor().copy(
                sql.SQL("COPY raw ({}) FROM STDIN (FORMAT csv)").format(columns)
            ) as copy,
        ):
            while block := handle.read(1 << 20):
                copy.write(block)
        return time.perf_counter() - began


def main(rows: int = 1_790_000) -> None:
    """Measure and write the results."""
    server = PostgresServer(profile="durable")
    with tempfile.TemporaryDirectory() as scratch:
        few, first, second = (Path(scratch) / name for name in ("few", "first", "second"))
        written(few, scores(10_000))
        written(first, scores(rows))
        written(second, scores(rows, changed_every=100), day=2)
        try:
            server.start()
            settings = {"port": server.port, "database": "postgres", "user": "postgres"}
            settings |= {"password_file": str(server.password_file)}
            result: dict[str, object] = {"rows": rows}
            result["few"] = publish_in_a_process(settings | {"schema_name": "few"}, few)
            result["first"] = loaded = publish_in_a_process(settings, first)
            result["again"] = publish_in_a_process(settings, first)
            result["one_percent"] = changed = publish_in_a_process(settings, second)
            result["raw_copy_seconds"] = raw = round(raw_copy_seconds(server, first), 2)
        finally:
            server.stop()
    result["first_to_raw_copy"] = round(loaded["seconds"] / raw, 2)
    result["one_percent_to_raw_copy"] = round(changed["seconds"] / raw, 2)
    write_result("postgres_publish", result)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
