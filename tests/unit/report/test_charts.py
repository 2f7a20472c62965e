"""Charts are text in the page's colours, and the same bytes every time."""

import re
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskflow.errors import RiskflowError
from riskflow.report import charts
from riskflow.report.charts import Curve, Interval, Step

DRAWN: dict[str, Callable[[], str]] = {
    "histogram": lambda: charts.histogram([0, 1, 2], {"a": [3, 4], "b": [1, 0]}, marks={"here": 1.5}),
    "stacked_bars": lambda: charts.stacked_bars(["x", "y"], {"a": [1, 0], "b": [3, 0]}),
    "bars": lambda: charts.bars(["x", "y"], [1200, 3], x_label="rows"),
    "grouped_bars": lambda: charts.grouped_bars(["x", "y"], {"a": [0.5, None], "b": [1, 0]}, limits=(0, 1)),
    "waterfall": lambda: charts.waterfall([Step("from", 2.0, True), Step("up", 0.5), Step("to", 2.5, True)]),
    "curves": lambda: charts.curves([Curve("a", [0, 1], [0, 1])], diagonal=True, level=0.2),
    "intervals": lambda: charts.intervals(
        ["x"], {"a": [Interval(2, 1, 3)], "b": [Interval(1, 1, 1)]}, level=1
    ),
    "ranges": lambda: charts.ranges(["x", "y"], [(0, 1, 2, 3, 4)] * 2),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_clean_svg_with_page_colours_and_equal_bytes(name: str) -> None:
    svg = DRAWN[name]()
    assert svg == DRAWN[name]()
    assert svg.startswith("<svg ") and svg.endswith("</svg>")
    assert "viewBox" in svg
    assert not re.search(r"<svg[^>]* (width|height)=", svg)
    assert "var(--" in svg and "#0a0b" not in svg
    assert "<metadata" not in svg and "Matplotlib" not in svg
    assert "<text" in svg and "DejaVu" not in svg


@pytest.mark.parametrize("name", ["stacked_bars", "bars", "grouped_bars", "ranges"])
def test_empty_data_draws_an_empty_chart(name: str) -> None:
    empty: dict[str, Callable[[], str]] = {
        "stacked_bars": lambda: charts.stacked_bars([], {"a": []}),
        "bars": lambda: charts.bars([], []),
        "grouped_bars": lambda: charts.grouped_bars([], {"a": []}),
        "ranges": lambda: charts.ranges([], []),
    }
    assert empty[name]().startswith("<svg ")


def test_names_with_dollars_and_angles_are_shown_as_they_are() -> None:
    svg = charts.bars(["$x$ <b>", "y"], [1, 2])
    assert "$x$ &lt;b&gt;" in svg


def test_long_names_are_cut_to_fit() -> None:
    svg = charts.bars(["Clinic/Center, Mental Health (Including Community Mental Health Center)"], [1])
    assert ">Clinic/Center, Mental Hea…</text>" in svg


def test_shares_of_nothing_are_nothing() -> None:
    assert "nan" not in charts.stacked_bars(["x"], {"a": [0], "b": [0]})


def test_the_waterfall_writes_out_each_step() -> None:
    svg = charts.waterfall(
        [Step("2024", 2.0, True), Step("model", -0.25), Step("2025", 1.75, True)], digits=2
    )
    for text in ("2.00", "−0.25", "1.75"):
        assert f">{text}</text>" in svg


def test_a_tone_that_the_page_does_not_have_is_an_error() -> None:
    with pytest.raises(RiskflowError, match="no such tone: pink"):
        charts.histogram([0, 1], {"a": [1]}, tones={"a": "pink"})


def test_bins_close_at_the_right_end_and_skip_nulls_and_strangers() -> None:
    values = pl.Series([0.0, 0.99, 1.0, 2.0, None, -1.0, 2.5])
    assert charts.bin_counts(values, [0, 1, 2]) == [2, 2]


@given(st.lists(st.floats(0, 100), max_size=60))
def test_every_value_inside_the_edges_is_counted_once(values: list[float]) -> None:
    counts = charts.bin_counts(pl.Series(values, dtype=pl.Float64), [0, 10, 35, 100])
    assert sum(counts) == len(values)
    assert counts[0] == sum(value < 10 for value in values)
