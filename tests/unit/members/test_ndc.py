import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskflow.members.ndc import ndc_11, ndc_is_ambiguous


def normalised(value):
    return pl.DataFrame({"n": [value]}, schema={"n": pl.String}).select(ndc_11(pl.col("n"))).item()


def ambiguous(value):
    return pl.DataFrame({"n": [value]}, schema={"n": pl.String}).select(ndc_is_ambiguous(pl.col("n"))).item()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("00002021301", "00002021301"),
        ("0002-0213-01", "00002021301"),  # 4-4-2
        ("50242-040-62", "50242004062"),  # 5-3-2
        ("60575-4112-1", "60575411201"),  # 5-4-1
        ("00002-0213-01", "00002021301"),  # 5-4-2
        (" 00002021301 ", "00002021301"),
        ("00117A69204", "00117A69204"),  # a labeler's own letter, as CMS lists it
        ("00117-a692-04", "00117A69204"),
        ("0002021301", None),
        ("002021301", None),
        ("00002-0213", None),
        ("4444-333-22", None),
        ("000020213011", None),
        ("2.0213E+08", None),
        ("", None),
        (None, None),
    ],
)
def test_ndc_is_normalised_to_5_4_2(raw, expected):
    assert normalised(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("0002021301", True),
        ("002021301", True),
        ("00002-0213", True),
        ("00002021301", False),
        ("12-34", False),
    ],
)
def test_undashed_short_codes_are_ambiguous(raw, expected):
    assert ambiguous(raw) is expected


@given(st.sampled_from([(4, 4, 2), (5, 3, 2), (5, 4, 1)]), st.data())
def test_each_segment_keeps_its_number(widths, data):
    segments = [data.draw(st.from_regex(rf"[0-9]{{{w}}}", fullmatch=True)) for w in widths]
    result = normalised("-".join(segments))
    assert [int(result[:5]), int(result[5:9]), int(result[9:])] == [int(s) for s in segments]
    assert len(result) == 11
