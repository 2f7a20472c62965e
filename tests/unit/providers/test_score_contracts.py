"""One good and one bad frame for every check of the scoring contracts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from riskflow.config.providers import DecomposeStage
from riskflow.contracts import providers_scores as contracts
from riskflow.contracts.base import Check, Contract
from riskflow.errors import RiskflowError
from riskflow.providers import decompose
from tests.unit.providers.population import config, random_population
from tests.unit.providers.score_files import part, run_stages

FILES = {
    "metrics": contracts.METRICS,
    "programs": contracts.PROGRAMS,
    "reference": contracts.REFERENCE,
    "percentiles": contracts.PERCENTILES,
    "scored/0000": contracts.SHARD_SCORES,
    "merged": contracts.MERGED,
    "distribution": contracts.DISTRIBUTION,
    "ranks": contracts.RANKS,
    "scores": contracts.SCORES,
    "changes": contracts.CHANGES,
    "groups": contracts.GROUP_CHANGES,
}
BAD_TEXT = {"one_of": "no such word", "not_empty": "", "matches": "no match"}


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    earlier, later = tmp_path_factory.mktemp("earlier"), tmp_path_factory.mktemp("later")
    settings = config(shards={"count": 1})
    run_stages(random_population(70, 5), earlier, config(shards={"count": 1}, weights={"billing": 0.9}))
    run_stages(random_population(70, 5), later, settings, stored=None)
    decompose.run(
        **{name: later / f"{name}.parquet" for name in ("metrics", "programs", "universe", "reference")},
        features=later / "features",
        plan=later / "plan.json",
        before=earlier,
        changes=later / "changes.parquet",
        groups=later / "groups.parquet",
        config=part(settings, DecomposeStage),
    )
    return {name: pl.read_parquet(_file(later, name)) for name in FILES}


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.parquet"


def column_checks() -> Iterator[tuple[str, str, str]]:
    for file, contract in FILES.items():
        for name, column in contract.columns.items():
            yield from ((file, name, check.name) for check in column.checks)


def frame_checks() -> Iterator[tuple[str, str]]:
    for file, contract in FILES.items():
        yield from ((file, check.name) for check in contract.checks)


def broken_value(contract: Contract, name: str, check: Check) -> object:
    if contract.columns[name].dtype == pl.String:
        return BAD_TEXT[check.name]
    if check.name == "finite":
        return float("inf")
    return 5 if check.name == "npi_ten_digits" else -200


@pytest.mark.parametrize("file", FILES)
def test_good_frames_pass_and_are_not_empty(artifacts, file):
    assert FILES[file].validate(artifacts[file]).height > 0


@pytest.mark.parametrize(("file", "name", "check"), column_checks())
def test_a_bad_value_breaks_its_check_and_is_not_told(artifacts, file, name, check):
    contract = FILES[file]
    promise = next(c for c in contract.columns[name].checks if c.name == check)
    bad = broken_value(contract, name, promise)
    first = pl.int_range(pl.len()) == 0
    dtype = contract.columns[name].dtype
    frame = artifacts[file].with_columns(pl.when(first).then(pl.lit(bad, dtype)).otherwise(name).alias(name))
    with pytest.raises(RiskflowError) as told:
        contract.validate(frame)
    assert f"{name} {promise.sentence}" in told.value.message
    assert "no such word" not in told.value.message and "-200" not in told.value.message


@pytest.mark.parametrize(
    ("file", "name"),
    [(f, n) for f, contract in FILES.items() for n, c in contract.columns.items() if not c.nullable],
)
def test_a_null_breaks_a_column_that_may_not_have_one(artifacts, file, name):
    first = pl.int_range(pl.len()) == 0
    frame = artifacts[file].with_columns(pl.when(~first).then(name).alias(name))
    with pytest.raises(RiskflowError, match=name):
        FILES[file].validate(frame)


@pytest.mark.parametrize(("file", "check"), frame_checks())
def test_a_row_that_contradicts_itself_breaks_its_check(artifacts, file, check):
    frame = artifacts[file]
    promise = next(c for c in FILES[file].checks if c.name == check)
    with pytest.raises(RiskflowError) as told:
        FILES[file].validate(contradicted(frame, check))
    assert promise.sentence in told.value.message


def contradicted(frame: pl.DataFrame, check: str) -> pl.DataFrame:
    if check == "n_within_peers":
        return frame.with_columns(n=pl.col("peers") + 1)
    if check == "contributions_add_up":
        return frame.with_columns(r_raw=pl.col("r_raw") * 0.5)
    if check == "scored_or_reason":
        return frame.with_columns(not_scored_reason=pl.lit("no reason at all"))
    if check == "score_rank_and_tier_together":
        return frame.with_columns(rank=pl.lit(None, pl.Int64))
    measure = check.removesuffix("_effects_add_up")
    return frame.with_columns((pl.col(f"{measure}_change") + 1.0).alias(f"{measure}_change"))
