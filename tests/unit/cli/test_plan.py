"""riskflow plan adds up what the last run's benchmark files say."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from riskflow.cli import app
from riskflow.cli.plan import cost, finished_jobs
from riskflow.config.costs import CostsConfig
from riskflow.receipts import Receipt

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
PRICES = CostsConfig(core_hour=1.0, gib_hour=0.1, job_overhead_seconds=0, currency="EUR")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One hour of two threads and 2 GiB; two shards of half an hour, and one that the config no longer has."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results"
    add(folder, "metrics", seconds=3600, rss="2048.0", threads="2", peak=1)
    for shard in ("0000", "0001", "0007"):
        add(folder, f"score/{shard}", seconds=1800, rss="NA", threads="", peak=1024**3)
    return folder


def add(folder: Path, name: str, seconds: float, rss: str, threads: str, peak: int) -> None:
    benchmark = folder / "providers" / "benchmarks" / f"{name}.tsv"
    benchmark.parent.mkdir(parents=True, exist_ok=True)
    benchmark.write_text(f"{HEAD}{seconds}\t1:00:00\t{rss}\t0\t0\t0\t0\t0\t0\t0\n")
    receipt = folder / "providers" / "receipts" / f"{name}.json"
    receipt.parent.mkdir(parents=True, exist_ok=True)
    Receipt(stage=name, run={"threads": threads, "peak_rss_bytes": peak}).write(receipt)


def test_cost_is_what_the_jobs_hold_from_start_to_end(results: Path) -> None:
    spent = cost(finished_jobs(results, {"providers": 4}), PRICES)
    assert spent.jobs == 3
    assert spent.core_hours == pytest.approx(2 * 1 + 2 * 0.5)
    assert spent.gib_hours == pytest.approx(2 * 1 + 2 * 0.5)
    assert spent.money == pytest.approx(3 * 1.0 + 3 * 0.1)


def test_overhead_is_added_to_every_job(results: Path) -> None:
    slow = PRICES.model_copy(update={"job_overhead_seconds": 360})
    assert cost(finished_jobs(results, {"providers": 4}), slow).hours == pytest.approx(2 + 3 * 0.1)


def test_the_command_prices_by_the_config(results: Path) -> None:
    (results.parent / "mine.yaml").write_text(json.dumps({"costs": PRICES.model_dump()}))
    done = CliRunner().invoke(app, ["plan", "mine.yaml", "--results", str(results)])
    assert done.exit_code == 0, done.stderr
    total = next(line for line in done.stdout.splitlines() if line.split()[:1] == ["all"])
    assert total.split() == ["all", "3", "2.0000", "3.0000", "3.0000", "3.3000"]
    assert "EUR" in done.stdout


def test_without_a_run_it_says_so(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["plan", "--results", str(tmp_path)])
    assert done.exit_code == 1
    assert "run once" in done.stderr
