"""The one-pass verdict of a contract and pandera's are the same, on any frame."""

from __future__ import annotations

import pandera.errors
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from riskflow.contracts.base import (
    Contract,
    FrameCheck,
    at_least,
    column,
    finite,
    in_range,
    matches,
    not_empty,
    npi,
    one_of,
)

EVERYTHING = Contract(
    name="test.everything",
    version=1,
    title="A column per kind of promise",
    key=(),
    columns={
        "npi": column(pl.Int64, "", npi()),
        "share": column(pl.Float64, "", in_range(0, 1), finite()),
        "amount": column(pl.Float64, "", at_least(0), nullable=True),
        "code": column(pl.String, "", matches(r"^[A-Z]\d$", "is a letter and a digit"), nullable=True),
        "tier": column(pl.String, "", one_of(("High", "Low")), not_empty()),
    },
    checks=(
        FrameCheck("amount_over_share", "amount is at least share", pl.col("amount") >= pl.col("share")),
    ),
)
FLOATS = st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.0, float("nan"), float("inf")]))
ROWS = st.fixed_dictionaries(
    {
        "npi": st.one_of(st.none(), st.sampled_from([1_234_567_893, 999, 9_999_999_999])),
        "share": FLOATS,
        "amount": FLOATS,
        "code": st.one_of(st.none(), st.sampled_from(["A1", "a1", ""])),
        "tier": st.one_of(st.none(), st.sampled_from(["High", "Low", "", "Middle"])),
    }
)
GOOD = {"npi": 1_234_567_893, "share": 0.5, "amount": 2.0, "code": "A1", "tier": "High"}


def pandera_holds(frame: pl.DataFrame) -> bool:
    try:
        EVERYTHING.pandera.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors:
        return False
    return True


@given(st.lists(st.one_of(st.just(GOOD), ROWS), max_size=4))
def test_one_pass_and_pandera_agree(rows: list[dict[str, object]]) -> None:
    frame = pl.DataFrame(rows, schema=EVERYTHING.schema)
    assert EVERYTHING.holds(frame) == pandera_holds(frame)
