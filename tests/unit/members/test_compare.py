import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskflow.errors import RiskflowError
from riskflow.members.compare import compared, distribution, histogram, member_scores, moved_variables


def run(rows):
    return pl.DataFrame(
        [(k, float(s), 12.0) for k, s in rows.items()],
        schema={"member_id": pl.String, "score": pl.Float64, "member_months": pl.Float64},
        orient="row",
    )


A = run({"left": 1.0, "both": 2.0, "same": 3.0})
B = run({"joined": 4.0, "both": 2.5, "same": 3.0})


@pytest.mark.parametrize(
    ("mode", "members"),
    [
        ("intersection", ["both", "same"]),
        ("union", ["both", "joined", "left", "same"]),
        ("a_only", ["left"]),
        ("b_only", ["joined"]),
    ],
)
def test_each_population_mode_has_its_members_and_no_others(mode, members):
    assert compared(A, B, mode)["member_id"].to_list() == members


def test_difference_is_b_minus_a_and_exists_only_for_matched_members():
    rows = {r["member_id"]: r for r in compared(A, B, "union").iter_rows(named=True)}
    assert rows["both"]["score_diff"] == 0.5
    assert rows["both"]["match_status"] == "matched"
    assert (rows["left"]["score_diff"], rows["left"]["match_status"]) == (None, "a_only")
    assert (rows["joined"]["score_diff"], rows["joined"]["match_status"]) == (None, "b_only")


def test_an_empty_population_is_an_error():
    with pytest.raises(RiskflowError, match="the a_only of the two runs has no members"):
        compared(A, A, "a_only")


def test_distribution_counts_directions():
    row = distribution(compared(A, B, "union")).row(0, named=True)
    assert (row["members"], row["matched"], row["a_only"], row["b_only"]) == (4, 2, 1, 1)
    assert (row["increased"], row["decreased"], row["unchanged"]) == (1, 0, 1)
    assert row["mean_diff"] == 0.25
    assert (row["min_diff"], row["p50_diff"], row["max_diff"]) == (0.0, 0.25, 0.5)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 100), min_size=1).map(run),
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 100), min_size=1).map(run),
)
def test_union_is_conserved_and_bins_hold_every_matched_member(a, b):
    union = compared(a, b, "union")
    row = distribution(union).row(0, named=True)
    assert row["matched"] + row["a_only"] == a.height
    assert row["matched"] + row["b_only"] == b.height
    assert row["increased"] + row["decreased"] + row["unchanged"] == row["matched"]
    assert histogram(union)["members"].sum() == row["matched"]


def test_spans_of_a_member_are_weighted_by_member_months():
    spans = pl.DataFrame(
        {
            "member_id": ["m", "m", "n"],
            "span_id": ["1", "2", "1"],
            "member_months": [3.0, 9.0, 12.0],
            "csr_adjusted_score": [1.0, 2.0, 5.0],
        }
    )
    result = member_scores(spans, "csr_adjusted_score")
    assert result.rows() == [("m", 1.75, 12.0), ("n", 5.0, 12.0)]


def test_moved_variables_count_members_once_over_spans():
    a = pl.DataFrame(
        {
            "member_id": ["both", "both", "same", "left"],
            "variables": [["HHS_HCC020"], ["HHS_HCC020"], ["X"], ["Y"]],
        }
    )
    b = pl.DataFrame({"member_id": ["both", "same", "joined"], "variables": [["G01", "X"], ["X"], ["Z"]]})
    rows = {r["variable"]: r for r in moved_variables(a, b, compared(A, B, "union")).iter_rows(named=True)}
    assert set(rows) == {"HHS_HCC020", "G01", "X"}
    assert (rows["HHS_HCC020"]["lost"], rows["G01"]["gained"]) == (1, 1)
    assert (rows["X"]["kept"], rows["X"]["gained"], rows["X"]["net"]) == (1, 1, 1)
    assert rows["G01"]["mean_diff"] == 0.5
    assert moved_variables(a, a, compared(A, A, "intersection"))["net"].to_list() == [0, 0, 0]
