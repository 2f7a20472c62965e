"""riskflow summary: after a run, one line of counts per track and the files to open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskflow.cli.console import ResultsFolder, receipts_of, show
from riskflow.errors import RiskflowError

if TYPE_CHECKING:
    from riskflow.receipts import Receipt

MAIN_TABLES = {
    "providers": ("scores.parquet", "a row per NPI: score, tier, reasons"),
    "members": ("scores.parquet", "a row per member and plan span: HHS-HCC scores"),
    "notes": ("observations.parquet", "the redacted notes; patients and encounters beside it"),
    "rates": ("rates.parquet", "negotiated rates"),
    "outreach": ("outreach.parquet", "the outreach list"),
}
WHAT = {
    "providers": "providers",
    "members": "scores",
    "notes": "notes",
    "rates": "rates",
    "outreach": "people",
}


def register(seats: Any) -> None:
    """Add `summary`."""
    seats.app.command("summary")(summary)


def summary(results: ResultsFolder = Path("results")) -> None:
    """Say what the last run made: a line of counts per track, and the files to open."""
    tracks = [results / name for name in MAIN_TABLES if (results / name / "receipts").is_dir()]
    if not tracks:
        raise RiskflowError(f"no results in {results}", "run `make run` (or `snakemake --cores 2`) first")
    for track in tracks:
        _show_track(track)
    warehouse = results / "warehouse.duckdb"
    if warehouse.exists():
        _show_files("all tracks", "", [(warehouse, "every published table, for DuckDB")])


def _show_track(track: Path) -> None:
    receipts = receipts_of(track)
    table, meaning = MAIN_TABLES[track.name]
    files = [(track / "report.html", "the page to read first"), (track / table, meaning)]
    _show_files(track.name, ", ".join(_counts(track, receipts)), [file for file in files if file[0].exists()])


def _show_files(name: str, line: str, files: Sequence[tuple[Path, str]]) -> None:
    from rich.text import Text

    show(Text.assemble((f"{name:<11}", "bold"), line))
    width = max((len(str(path)) for path, _ in files), default=0)
    for path, meaning in files:
        show(Text.assemble(" " * 11, (f"{path!s:<{width}}", "cyan"), ("  " + meaning, "dim")))


def _counts(track: Path, receipts: Sequence[Receipt]) -> Iterator[str]:
    """Yield what was made, what was read and put aside, and the work it took."""
    table = track / MAIN_TABLES[track.name][0]
    made = [
        item.rows for receipt in receipts for item in receipt.outputs if Path(item.path).name == table.name
    ]
    if made and table.exists():
        yield f"{made[-1]:,} {WHAT[track.name]}"
    # a gate counts the same rows again, but makes nothing
    sources = [r.counts for r in receipts if "read" in r.counts and "quarantined" in r.counts and r.outputs]
    if sources:
        yield f"{sum(counts['read'] for counts in sources):,} rows read"
        yield f"{sum(counts['quarantined'] for counts in sources):,} in quarantine"
    seconds = sum(receipt.run.get("seconds", 0.0) for receipt in receipts)
    yield f"{seconds:,.1f} s of work in {len(receipts):,} jobs"
