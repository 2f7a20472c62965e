"""Contracts: one good and one bad frame per check, and messages without a single cell value."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from riskflow.contracts import base
from riskflow.contracts.base import Check, Contract, FrameCheck, column
from riskflow.errors import RiskflowError

CANARY = "CANARY-4711-Ærøskøbing"
CANARY_NUMBER = 987_654_321.125

NUMBER_CHECKS: list[tuple[Check, Any, Any]] = [
    (base.in_range(0, 100), 55.5, CANARY_NUMBER),
    (base.in_range(0, 100), 0.0, -0.001),
    (base.in_range(0, 100), 100.0, float("nan")),
    (base.in_range(0, 100), 100.0, float("inf")),
    (base.at_least(1), 1.0, -CANARY_NUMBER),
    (base.at_least(1), float("inf"), float("nan")),
    (base.finite(), CANARY_NUMBER, float("nan")),
    (base.finite(), -1.0, float("-inf")),
]
TEXT_CHECKS: list[tuple[Check, str, str]] = [
    (base.one_of(["Low", "High"]), "Low", CANARY),
    (base.one_of(["Low", "High"]), "High", "low"),
    (base.matches(r"^\d{5}$", "is a five-digit ZIP code"), "02139", CANARY),
    (base.not_empty(), "x", ""),
    (base.npi_text(), "1234567893", "0234567893"),
    (base.npi_text(), "1234567893", "123456789"),
    (base.npi_text(), "1234567893", "12345678933"),
    (base.npi_text(), "1234567893", "M857615100"),
    (base.npi_text(), "1234567893", "1234567893\n"),
]
INTEGER_CHECKS: list[tuple[Check, int, int]] = [
    (base.npi(), 1_000_000_000, 999_999_999),
    (base.npi(), 9_999_999_999, 10_000_000_000),
    (base.in_range(1, 12), 12, 13),
    (base.at_least(0), 0, -1),
]
CASES = [
    *[(pl.Float64, *case) for case in NUMBER_CHECKS],
    *[(pl.String, *case) for case in TEXT_CHECKS],
    *[(pl.Int64, *case) for case in INTEGER_CHECKS],
]


def one_column(dtype: Any, *checks: Check, nullable: bool = False) -> Contract:
    return Contract("one", 1, "One column", (), {"x": column(dtype, "The value", *checks, nullable=nullable)})


@pytest.mark.parametrize(("dtype", "check", "good", "bad"), CASES, ids=lambda c: getattr(c, "name", None))
def test_a_check_passes_good_and_refuses_bad(dtype: Any, check: Check, good: Any, bad: Any) -> None:
    contract = one_column(dtype, check)
    contract.validate(pl.DataFrame({"x": [good, good]}, schema={"x": dtype}))
    with pytest.raises(RiskflowError) as caught:
        contract.validate(pl.DataFrame({"x": [good, bad, good, bad]}, schema={"x": dtype}))
    message = str(caught.value)
    assert "x " in message and "artifact one v1" in message
    if bad == bad:  # pandera calls NaN a null
        assert check.sentence in message
        assert "(2 rows, first at row 1)" in message


@pytest.mark.parametrize(("dtype", "check", "good", "bad"), CASES, ids=lambda c: getattr(c, "name", None))
def test_null_passes_every_check_of_a_nullable_column(dtype: Any, check: Check, good: Any, bad: Any) -> None:
    one_column(dtype, check, nullable=True).validate(pl.DataFrame({"x": [None, good]}, schema={"x": dtype}))


def test_nan_fails_even_where_null_may_be() -> None:
    for check in (base.in_range(0, 1), base.at_least(0), base.finite()):
        with pytest.raises(RiskflowError, match=check.sentence):
            one_column(pl.Float64, check, nullable=True).validate(pl.DataFrame({"x": [float("nan")]}))


def test_null_fails_where_it_may_not_be() -> None:
    with pytest.raises(RiskflowError, match="column x has nulls"):
        one_column(pl.Int64).validate(pl.DataFrame({"x": [1, None]}))


def test_a_frame_check_sees_several_columns() -> None:
    contract = Contract(
        "two",
        1,
        "Two columns",
        ("a",),
        {"a": column(pl.Int64, "First"), "b": column(pl.Int64, "Second", nullable=True)},
        checks=(FrameCheck("ordered", "ends after it begins", pl.col("b") >= pl.col("a")),),
    )
    contract.validate(pl.DataFrame({"a": [1, 2], "b": [1, None]}))
    with pytest.raises(RiskflowError, match=r"ends after it begins \(1 rows, first at row 1\)"):
        contract.validate(pl.DataFrame({"a": [1, 987654321], "b": [1, 5]}))


def test_all_broken_promises_are_told_at_once() -> None:
    contract = Contract(
        "two",
        1,
        "Two",
        (),
        {
            "a": column(pl.Int64, "First", base.at_least(0), base.in_range(-5, 5)),
            "b": column(pl.String, "Second", base.not_empty()),
        },
    )
    with pytest.raises(RiskflowError) as caught:
        contract.validate(pl.DataFrame({"a": [-9], "b": [""]}))
    for sentence in ("a is 0 or more", "a is between -5 and 5", "b is not an empty text"):
        assert sentence in str(caught.value)


Bad = Callable[[], pl.DataFrame]
SCHEMA_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"a": [CANARY]}, "missing columns: b"),
    "unknown": ({"a": [CANARY], "b": [1], "c": [1]}, "unknown columns: c"),
    "type": ({"a": [CANARY], "b": ["1"]}, "b is String, not Int64"),
    "order": ({"b": [1], "a": [CANARY]}, "columns are in another order"),
}


@pytest.mark.parametrize("fault", SCHEMA_FAULTS)
def test_a_wrong_schema_says_which_column_and_what_was_expected(fault: str) -> None:
    contract = Contract(
        "two", 1, "Two", (), {"a": column(pl.String, "First"), "b": column(pl.Int64, "Second")}
    )
    data, sentence = SCHEMA_FAULTS[fault]
    with pytest.raises(RiskflowError, match=sentence) as caught:
        contract.validate(pl.DataFrame(data))
    assert "expected, in this order: a, b" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(("dtype", "check", "good", "bad"), CASES, ids=lambda c: getattr(c, "name", None))
def test_no_message_holds_a_cell_value(dtype: Any, check: Check, good: Any, bad: Any) -> None:
    value = CANARY if dtype == pl.String else 8_765_432_109_876
    frame = pl.DataFrame({"x": [value, value]}, schema={"x": dtype}, strict=False)
    contract = Contract(
        "canaries",
        1,
        "Every check fails",
        (),
        {"x": column(dtype, "The value", Check("never", "never holds", lambda c: c.is_null()), check)},
        checks=(FrameCheck("no_row", "holds for no row", pl.col("x").is_null()),),
    )
    with pytest.raises(RiskflowError) as caught:
        contract.validate(frame)
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "CANARY" not in str(chain) and "8765432" not in str(chain).replace("_", "")
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)


def test_a_check_that_cannot_be_evaluated_fails_the_frame() -> None:
    broken = Check("broken", "asks a number for its letters", lambda c: c.str.contains("x"))
    with pytest.raises(RiskflowError) as caught:
        one_column(pl.Int64, broken).validate(pl.DataFrame({"x": [424_242_424_242]}))
    assert "424242424242" not in str(caught.value)


def test_an_empty_frame_keeps_every_promise() -> None:
    for dtype, check, _, _ in CASES:
        contract = one_column(dtype, check)
        assert contract.validate(contract.empty()).height == 0


def test_a_contract_without_promises_takes_any_rows() -> None:
    free = Contract("free", 1, "All may be null", (), {"a": column(pl.String, "Anything", nullable=True)})
    frame = pl.DataFrame({"a": ["x", None]})
    assert free.validate(frame).equals(frame)
