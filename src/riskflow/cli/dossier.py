"""What is known about one provider after a run, and where each number came from. No printing here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskflow.errors import RiskflowError

if TYPE_CHECKING:
    from riskflow.receipts import Receipt

SHORT = 12
ORIGINS = (
    ("risk score, rank, tier", "providers_ranks"),
    ("components and contributions", "providers_shard_scores"),
    ("yearly totals behind them", "providers_metrics"),
    ("peer medians and spreads", "providers_reference"),
    ("billing outlier percentile", "providers_percentiles"),
    ("ownership path and chain", "providers_graph_features"),
    ("exclusions, payments after them", "providers_exclusion_facts"),
    ("flags, reasons, change", "providers_scores"),
)
"""What is shown → the contract of the artifact it was read from or computed into."""


@dataclass(frozen=True)
class Origin:
    """Where a number came from."""

    number: str
    artifact: str
    stage: str
    code_and_config: str
    commit: str


def provider_row(npi: str, results: Path) -> dict[str, Any]:
    """Return the published row of an NPI (contract SCORES)."""
    import polars as pl

    from riskflow import artifacts
    from riskflow.contracts.providers_scores import SCORES

    if not (npi.isascii() and npi.isdigit() and len(npi) == 10):
        raise RiskflowError("that is not an NPI", "an NPI has ten digits, for example 1234567893")
    path = results / "providers" / "scores.parquet"
    rows = artifacts.scan(path, SCORES).filter(pl.col("npi") == npi).collect().to_dicts()
    if not rows:
        raise RiskflowError(
            f"NPI {npi} is not in {path}",
            "it has neither payments nor an exclusion nor an owner in the data, or was not in this run",
        )
    return rows[0]


def origins_of(npi: str, results: Path, receipts: Sequence[Receipt]) -> Iterator[Origin]:
    """Yield the origin of each group of numbers; of a sharded artifact, the shard that holds the NPI."""
    for number, contract in ORIGINS:
        made = [(item, r) for r in receipts for item in r.outputs if item.contract == contract]
        if len(made) > 1:
            holder = _file_with(npi, [_here(item.path, results) for item, _ in made])
            made = [pair for pair in made if _here(pair[0].path, results) == holder]
        for artifact, receipt in made[:1]:
            yield Origin(
                number=number,
                artifact=str(_here(artifact.path, results)),
                stage=receipt.stage,
                code_and_config=receipt.provenance[:SHORT],
                commit=_commit(receipt.run.get("git", {})),
            )


def _commit(git: Mapping[str, Any]) -> str:
    commit: str = git.get("commit", "")[:SHORT]
    return commit + ("" if git.get("clean") else " (changed)") if commit else "no git"


def config_values(receipts: Sequence[Receipt]) -> dict[str, str]:
    """Return the config keys that the stages read, with their values, from the receipts."""
    return {
        key.removeprefix("config."): value
        for receipt in receipts
        for key, value in receipt.params.items()
        if key.startswith("config.")
    }


def _here(path: str, results: Path) -> Path:
    """Return where an artifact of a receipt lies now: receipts know it by its path during the run."""
    _, marker, tail = path.partition("providers/")
    return results / marker / tail


def _file_with(npi: str, paths: Sequence[Path]) -> Path | None:
    import polars as pl

    there = [path for path in paths if path.exists()]
    if not there:
        return None
    rows = pl.scan_parquet(there, include_file_paths="file", glob=False).filter(pl.col("npi") == int(npi))
    files = rows.select("file").head(1).collect()["file"].to_list()
    return Path(files[0]) if files else None
