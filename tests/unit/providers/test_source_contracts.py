"""One good and one bad frame for every check of the source, graph and backtest contracts."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from riskflow.contracts import providers_sources as contracts
from riskflow.contracts.base import Contract
from riskflow.errors import RiskflowError
from tests.unit.providers.test_source_stages import run_all

FILES = {
    "registry": contracts.REGISTRY,
    "payments": contracts.PAYMENTS,
    "exclusions": contracts.EXCLUSIONS,
    "ownership": contracts.OWNERSHIP,
    "nodes": contracts.NODES,
    "edges": contracts.EDGES,
    "features": contracts.FEATURES,
    "facts": contracts.EXCLUSION_FACTS,
    "matches": contracts.MATCHES,
    "backtest": contracts.BACKTEST,
}
BROKEN_ROWS = {
    "excluded_has_id": {"excluded": True, "exclusion_id": None},
    "no_self_loop": {"owner_id": "O1", "owned_id": "O1"},
    "only_a_is_scored": {"tier": "D", "scored": True},
}
SECRET = "No Such Word"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("good")
    run_all(folder)
    return {name: pl.read_parquet(folder / f"{name}.parquet") for name in FILES}


def bad_value(check: str, dtype: pl.DataType) -> object:
    if check == "not_empty":
        return ""
    if check == "finite":
        return float("inf")
    if dtype == pl.String:
        return SECRET
    return 10_001 if check == "in_range_0_10000" else -1


def column_checks() -> Iterator[tuple[str, str, str]]:
    for file, contract in FILES.items():
        for name, column in contract.columns.items():
            yield from ((file, name, check.name) for check in column.checks)


def with_first_row(frame: pl.DataFrame, contract: Contract, **cells: object) -> pl.DataFrame:
    first = pl.int_range(pl.len()) == 0
    return frame.with_columns(
        pl.when(first).then(pl.lit(value, dtype=contract.columns[name].dtype)).otherwise(name).alias(name)
        for name, value in cells.items()
    )


@pytest.mark.parametrize("file", FILES)
def test_what_the_stages_write_keeps_the_contract(good: dict[str, pl.DataFrame], file: str) -> None:
    assert FILES[file].validate(good[file]).height > 0


@pytest.mark.parametrize(("file", "name", "check"), list(column_checks()))
def test_broken_column_check(good: dict[str, pl.DataFrame], file: str, name: str, check: str) -> None:
    contract = FILES[file]
    value = bad_value(check, contract.schema[name])  # type: ignore[arg-type]
    with pytest.raises(RiskflowError, match=f"broken promise: {name}") as error:
        contract.validate(with_first_row(good[file], contract, **{name: value}))
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("file", "check"), [(file, check.name) for file, contract in FILES.items() for check in contract.checks]
)
def test_broken_frame_check(good: dict[str, pl.DataFrame], file: str, check: str) -> None:
    contract = FILES[file]
    (sentence,) = [promise.sentence for promise in contract.checks if promise.name == check]
    with pytest.raises(RiskflowError, match=sentence):
        contract.validate(with_first_row(good[file], contract, **BROKEN_ROWS[check]))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (f, n)
        for f, contract in FILES.items()
        for n, column in contract.columns.items()
        if not column.nullable
    ],
)
def test_null_where_none_may_be(good: dict[str, pl.DataFrame], file: str, name: str) -> None:
    with pytest.raises(RiskflowError, match=f"column {name} has nulls"):
        FILES[file].validate(with_first_row(good[file], FILES[file], **{name: None}))
