"""The same scores in two other ways: one query per NPI, as the predecessor did, and one plain pass in one process.

    python benchmarks/predecessor_scores.py RESULTS/providers [--npis 300] [--plain-output FILE] > out.json

Reads a finished run (default config), checks that both ways give the run's scores bit for bit, and prints their
times. The per-NPI way is timed on a sample and extrapolated to the run's providers; its graph features are
read from the run, so that the graph query itself is not in its time.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from pathlib import Path

import duckdb
import polars as pl

from riskflow.config.providers import ProvidersConfig, ScoreStage
from riskflow.providers.method import method_of
from riskflow.providers.metrics import program_totals, yearly_metrics
from riskflow.providers.percentiles import billing_percentiles
from riskflow.providers.rank import placed, score_distribution
from riskflow.providers.reference import peer_reference
from riskflow.providers.score import score_shard

CONFIG = ProvidersConfig()
STAGE = ScoreStage(**{name: getattr(CONFIG, name) for name in ScoreStage.model_fields})


def one_query_per_npi(run: Path, sample: int) -> dict[str, object]:
    """Fetch and score a sample of providers one at a time; return seconds, and the extrapolation to everybody."""
    merged = pl.read_parquet(run / "merged.parquet", columns=["npi", "r_raw"])
    reference = pl.read_parquet(run / "reference.parquet")
    chosen = sorted(random.Random(1).sample(merged["npi"].to_list(), min(sample, merged.height)))
    with duckdb.connect() as connection:
        tables = {name: run / f"{name}.parquet" for name in ("metrics", "programs", "universe")}
        for name, path in {**tables, "features": run / "features" / "*.parquet"}.items():
            connection.execute(f"CREATE TABLE {name} AS FROM read_parquet(?)", [str(path)])
            connection.execute(f"CREATE INDEX {name}_npi ON {name} (npi)")
        started = time.perf_counter()
        scores = pl.concat(_score_one(connection, npi, reference) for npi in chosen)
        seconds = time.perf_counter() - started
    expected = merged.filter(pl.col("npi").is_in(chosen)).sort("npi")
    if not scores.select("npi", "r_raw").sort("npi").equals(expected, null_equal=True):
        sys.exit("one query per NPI gives other scores than the run")
    return {
        "sampled": len(chosen),
        "seconds": round(seconds, 3),
        "seconds_per_npi": round(seconds / len(chosen), 5),
        "providers": merged.height,
        "hours_extrapolated": round(seconds / len(chosen) * merged.height / 3600, 2),
    }


def _score_one(connection: duckdb.DuckDBPyConnection, npi: int, reference: pl.DataFrame) -> pl.DataFrame:
    def rows(table: str) -> pl.DataFrame:
        arrow = connection.sql(f"SELECT * FROM {table} WHERE npi = ?", params=[npi]).to_arrow_table()
        return pl.DataFrame(arrow)

    return score_shard(
        rows("metrics"), rows("programs"), rows("features"), rows("universe"), reference, STAGE
    )


def plain_pass(run: Path, output: Path) -> dict[str, object]:
    """Do everything in one process without shards, contracts or receipts; return seconds and peak memory."""
    started = time.perf_counter()
    payments = pl.scan_parquet(run / "ingested/payments.parquet")
    registry = pl.scan_parquet(run / "ingested/registry.parquet")
    last_year, window_years = CONFIG.scoring.date.year, CONFIG.components.window_years
    metrics = yearly_metrics(payments, registry, last_year=last_year, window_years=window_years)
    newest = CONFIG.components.concentration_years
    programs = program_totals(payments, last_year=last_year, window_years=window_years, newest_years=newest)
    method = method_of(CONFIG.scoring, CONFIG.peers)
    reference = peer_reference(metrics, method)
    percentiles = billing_percentiles(metrics, metrics, reference, method)
    features = pl.read_parquet(run / "features" / "*.parquet")
    universe = pl.read_parquet(run / "universe.parquet")
    scores = score_shard(metrics, programs, features, universe, reference, STAGE)
    ranks = placed(scores, percentiles, score_distribution(scores), CONFIG.tiers)
    ranked = scores.join(ranks, on="npi", how="left", maintain_order="left")
    ranked.write_parquet(output)
    seconds = time.perf_counter() - started
    expected = pl.read_parquet(run / "ranks.parquet")
    if not ranked.select(expected.columns).equals(expected, null_equal=True):
        sys.exit("the plain pass gives other ranks than the run")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": round(seconds, 3), "providers": ranked.height, "peak_rss_bytes": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, help="a finished run's results/providers folder")
    parser.add_argument("--npis", type=int, default=300, help="how many providers to score one by one")
    parser.add_argument(
        "--plain-output", type=Path, help="where the plain pass writes; without it, no plain pass"
    )
    arguments = parser.parse_args()
    told: dict[str, object] = {}
    if arguments.plain_output:
        told["plain_pass"] = plain_pass(arguments.run, arguments.plain_output)
    told["one_query_per_npi"] = one_query_per_npi(arguments.run, arguments.npis)
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
