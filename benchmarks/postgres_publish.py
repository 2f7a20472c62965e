"""How fast scores reach PostgreSQL: first publish, 1% changed, again; against a raw COPY of the same rows.

    python -m benchmarks.postgres_publish [rows]

Starts a PostgreSQL of its own with fsync on. Writes benchmarks/out/postgres_publish.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import polars as pl
from psycopg import sql

from riskflow.publish import postgres_tables
from riskflow.publish.postgres_copy import csv_bytes
from riskflow.publish.warehouse import execute_script
from riskflow.resources import text
from tests.services.postgres_server import PostgresServer
from tests.services.published import scores, written

OUT = Path(__file__).parent / "out" / "postgres_publish.json"
PACKAGE = "riskflow.providers.publish"
PUBLISH = """
import json, resource, sys, time
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
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": round(seconds, 2), "peak_mib": round(peak)} | receipt.counts))
"""


def publish_in_a_process(settings: dict[str, object], folder: Path) -> dict[str, float]:
    """Return seconds, peak memory and counts of one publish."""
    command = [sys.executable, "-c", PUBLISH, json.dumps(settings), str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout, file=sys.stderr)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def raw_copy_seconds(server: PostgresServer, folder: Path) -> float:
    """Return the seconds of a COPY of the same bytes into a table of the same columns and key."""
    rows = folder / "rows.csv"
    with duckdb.connect() as source:
        source.execute(text(PACKAGE, "incoming.sql"), {"scores": str(folder / "scores.parquet")})
        execute_script(source, text(PACKAGE, "postgres_rows.sql"))
        reader = source.sql("SELECT * EXCLUDE (publish_key) FROM rows_to_publish ORDER BY npi")
        with rows.open("wb") as handle:
            for batch in reader.to_arrow_reader(postgres_tables.ROWS_PER_CHUNK):
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
        first, second = Path(scratch) / "1", Path(scratch) / "2"
        written(first, scores(rows))
        written(second, scores(rows, changed_every=100), day=2)
        try:
            server.start()
            settings = {"port": server.port, "database": "postgres", "user": "postgres"}
            settings |= {"password_file": str(server.password_file)}
            result: dict[str, object] = {"rows": rows}
            result["first"] = publish_in_a_process(settings, first)
            result["again"] = publish_in_a_process(settings, first)
            result["one_percent"] = publish_in_a_process(settings, second)
            result["raw_copy_seconds"] = round(raw_copy_seconds(server, first), 2)
        finally:
            server.stop()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
