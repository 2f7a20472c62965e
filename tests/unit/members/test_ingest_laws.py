"""Whatever the order of the rows and the batches that they come in, the same rows are kept, and none is lost."""

from datetime import date

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.members.demo import DemoSpec, generate
from riskflow.members.ingest import validated_spans
from riskflow.members.ingest_evidence import validated_diagnoses, validated_drugs
from riskflow.members.ingest_sources import DIAGNOSES_SHAPE, DRUGS_SHAPE, SPANS_SHAPE, typed
from riskflow.members.texts import packed


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2021, 2023, 2025]), st.floats(0, 0.1))
def test_nothing_is_lost_and_order_does_not_matter(seed, year, dirt):
    demo = generate(DemoSpec(300, seed, year, dirt))
    first = validated_spans(typed(demo.spans, {}, SPANS_SHAPE, "s"), year)
    assert first.kept.height + first.quarantined.height == demo.spans.height
    shuffled = validated_spans(
        typed(demo.spans.sample(fraction=1, shuffle=True, seed=seed), {}, SPANS_SHAPE, "s"), year
    )
    assert_frame_equal(first.kept.sort("member_id", "span_id"), shuffled.kept.sort("member_id", "span_id"))
    codes = validated_diagnoses(typed(demo.diagnoses, {}, DIAGNOSES_SHAPE, "d"), first.kept)
    assert codes.kept.height + codes.quarantined.height == demo.diagnoses.height
    mixed = demo.diagnoses.sample(fraction=1, shuffle=True, seed=seed)
    assert_frame_equal(
        codes.kept, validated_diagnoses(typed(mixed, {}, DIAGNOSES_SHAPE, "d"), first.kept).kept
    )
    fills = validated_drugs(typed(demo.drugs, {}, DRUGS_SHAPE, "d"), first.kept)
    assert fills.kept.height + fills.quarantined.height == demo.drugs.height
    for frame, contract in ((first.kept, SPANS), (codes.kept, DIAGNOSES), (fills.kept, DRUGS)):
        contract.validate(frame)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ABCDE"), st.integers(1, 3), st.sampled_from(["E1165", "I10", "Z00"])),
        min_size=1,
    ),
    st.integers(1, 9),
    st.booleans(),
)
def test_batches_of_a_file_by_member_or_not_change_no_row(rows, size, by_member):
    rows = sorted(rows) if by_member else rows
    raw = pl.DataFrame(
        [(member, code, date(2025, 1, day)) for member, day, code in rows],
        schema=["member_id", "code", "service_date"],
        orient="row",
    )
    known = pl.DataFrame({"member_id": list("ABCD")})
    read = typed(raw, {}, DIAGNOSES_SHAPE, "d")
    whole = validated_diagnoses(read, known)
    parts = validated_diagnoses(read.iter_slices(size), known)
    assert_frame_equal(parts.kept, whole.kept)
    assert_frame_equal(parts.quarantined.sort("line"), whole.quarantined.sort("line"))
    assert whole.kept.height == len({row for row in rows if row[0] != "E"})


def test_batches_change_no_row():
    demo = generate(DemoSpec(300, 4, 2025, 0.1))
    people = validated_spans(typed(demo.spans, {}, SPANS_SHAPE, "s"), 2025).kept
    for raw, shape, validated in (
        (demo.diagnoses, DIAGNOSES_SHAPE, validated_diagnoses),
        (demo.drugs, DRUGS_SHAPE, validated_drugs),
    ):
        read = typed(raw, {}, shape, "d")
        whole = validated(read, people)
        parts = validated([read.clear(), *read.iter_slices(97)], people)
        assert_frame_equal(parts.kept, whole.kept)
        assert_frame_equal(parts.quarantined.sort("line"), whole.quarantined.sort("line"))


@given(st.lists(st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 4), max_size=30))
def test_packed_numbers_sort_as_their_columns(rows):
    columns = [np.array([row[i] for row in rows], np.int32) for i in range(4)]
    key = packed(columns)
    assert [rows[i] for i in np.argsort(key, kind="stable")] == sorted(rows)
    assert len(set(key.tolist())) == len(set(rows))
