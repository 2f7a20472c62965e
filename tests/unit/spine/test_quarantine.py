"""Quarantine: no row is lost, each broken row names its first rule, thresholds stop the run."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskflow.errors import RiskflowError
from riskflow.quarantine import QUARANTINE, Rule, assert_conserved, assert_share, split

RULES = [
    Rule("Q1", "has a number", pl.col("n").is_not_null()),
    Rule("Q2", "the number is not negative", pl.col("n") >= 0),
    Rule("Q3", "has a name", pl.col("name").str.len_chars() > 0),
]
SCHEMA = {"n": pl.Int64, "name": pl.String, "line": pl.Int64, "source": pl.String}
ROWS = st.lists(st.tuples(st.none() | st.integers(-5, 5), st.none() | st.text(max_size=3)), max_size=40)


def table(rows: list[tuple[int | None, str | None]]) -> pl.DataFrame:
    data = [(n, name, line, "file.csv") for line, (n, name) in enumerate(rows, start=2)]
    return pl.DataFrame(data, schema=SCHEMA, orient="row")


def expected_rule(n: int | None, name: str | None) -> str | None:
    if n is None:
        return "Q1"
    if n < 0:
        return "Q2"
    return None if name else "Q3"


@given(ROWS)
def test_every_row_is_kept_or_quarantined_under_the_first_rule_it_broke(
    rows: list[tuple[int | None, str | None]],
) -> None:
    result = split(table(rows), RULES)
    assert result.kept.height + result.quarantined.height == len(rows)
    expected = {line: expected_rule(n, name) for line, (n, name) in enumerate(rows, start=2)}
    assert set(result.kept["line"]) == {line for line, rule in expected.items() if rule is None}
    found = dict(result.quarantined.select("line", "rule_id").iter_rows())
    assert found == {line: rule for line, rule in expected.items() if rule is not None}
    assert result.kept.schema == pl.Schema(SCHEMA)
    QUARANTINE.validate(result.quarantined)


@given(ROWS)
def test_the_same_bad_rows_are_found_in_any_order(rows: list[tuple[int | None, str | None]]) -> None:
    straight, reverse = split(table(rows), RULES), split(table(rows).reverse(), RULES)
    assert straight.quarantined.sort("line").equals(reverse.quarantined.sort("line"))


def test_a_quarantined_row_says_where_it_stood_what_it_broke_and_what_it_held() -> None:
    bad = split(table([(1, "ann"), (-7, "bob")]), RULES).quarantined.row(0, named=True)
    assert json.loads(bad.pop("row")) == {"n": -7, "name": "bob"}
    assert bad == {
        "rule_id": "Q2",
        "source": "file.csv",
        "line": 3,
        "reason": "the number is not negative",
    }


def test_health_information_can_be_left_out() -> None:
    bad = split(table([(-7, "CANARY")]), RULES, keep_row=False).quarantined
    assert bad["row"].to_list() == [None]
    assert "CANARY" not in str(bad.rows())


def test_no_rules_quarantine_nothing() -> None:
    result = split(table([(None, None)]), [])
    assert (result.kept.height, result.quarantined.height) == (1, 0)


def test_lost_rows_are_refused() -> None:
    assert_conserved(5, 3, 2)
    with pytest.raises(RiskflowError, match="payments were lost: 5 read, 3 kept, 1 quarantined"):
        assert_conserved(5, 3, 1, "payments")


@pytest.mark.parametrize(
    ("quarantined", "read", "limit", "stops"),
    [
        (5, 100, 0.05, False),
        (6, 100, 0.05, True),
        (0, 0, 0.0, False),
        (1, 10_000, 0.0, True),
        (9, 9, 1.0, False),
    ],
)
def test_more_quarantine_than_the_threshold_stops_the_run(
    quarantined: int, read: int, limit: float, stops: bool
) -> None:
    if not stops:
        assert_share(quarantined, read, limit, "payments", "quality.max_quarantined")
        return
    with pytest.raises(RiskflowError, match=rf"{quarantined} of {read} rows .* quality.max_quarantined"):
        assert_share(quarantined, read, limit, "payments", "quality.max_quarantined")
