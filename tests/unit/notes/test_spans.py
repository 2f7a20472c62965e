"""The merge of spans: one clear precedence, nothing that was found becomes visible again."""

from hypothesis import given
from hypothesis import strategies as st

from riskflow.notes.redact.spans import KINDS, TIERS, merge_spans, span_frame


def merged(*rows: tuple[int, int, str, str]) -> list[tuple[int, int, str, str]]:
    frame = merge_spans(span_frame((0, *row) for row in rows))
    return [row[1:] for row in frame.iter_rows()]


def test_the_longest_of_overlapping_spans_names_the_kind():
    assert merged((0, 5, "NAME", "known:name"), (0, 17, "EMAIL", "rule:email")) == [
        (0, 17, "EMAIL", "rule:email")
    ]


def test_overlapping_spans_cover_all_that_either_covers():
    assert merged((0, 10, "NAME", "ner:m@1"), (6, 14, "PHONE", "rule:phone")) == [(0, 14, "NAME", "ner:m@1")]


def test_of_equal_spans_the_more_believed_tier_wins():
    assert merged((0, 4, "GEO", "ner:m@1"), (0, 4, "NAME", "known:name")) == [(0, 4, "NAME", "known:name")]


def test_of_equal_spans_of_a_tier_the_more_specific_kind_wins():
    assert merged((0, 4, "ID", "rule:id"), (0, 4, "MRN", "rule:mrn")) == [(0, 4, "MRN", "rule:mrn")]
    assert merged((0, 4, "PHONE", "rule:p"), (0, 4, "FAX", "rule:f")) == [(0, 4, "FAX", "rule:f")]


def test_an_eponym_shields_from_lists_and_model_but_not_from_rules_and_record():
    shield = (0, 19, "KEEP", "allow:eponym")
    assert merged(shield, (0, 9, "NAME", "ner:m@1")) == []
    assert merged(shield, (0, 9, "NAME", "list:name.listed")) == []
    assert merged(shield, (0, 9, "NAME", "rule:name.title")) == [(0, 9, "NAME", "rule:name.title")]
    assert merged(shield, (0, 9, "NAME", "known:name")) == [(0, 9, "NAME", "known:name")]


def test_an_eponym_does_not_shield_what_reaches_beyond_it():
    assert merged((0, 9, "KEEP", "allow:eponym"), (0, 15, "NAME", "ner:m@1")) == [(0, 15, "NAME", "ner:m@1")]


def test_an_allowed_term_shields_from_rules_but_not_from_the_deny_list_or_the_record():
    shield = (0, 9, "KEEP", "exempt:policy")
    assert merged(shield, (0, 9, "GEO", "rule:geo.facility")) == []
    assert merged(shield, (0, 9, "ID", "deny:policy")) == [(0, 9, "ID", "deny:policy")]
    assert merged(shield, (0, 9, "NAME", "known:name")) == [(0, 9, "NAME", "known:name")]


def test_spans_of_other_texts_do_not_touch():
    frame = merge_spans(span_frame([(0, 0, 4, "NAME", "rule:a"), (1, 2, 6, "NAME", "rule:a")]))
    assert frame.select("text_id", "start", "end").rows() == [(0, 0, 4), (1, 2, 6)]


_SPAN = st.tuples(
    st.integers(0, 2),
    st.integers(0, 30),
    st.integers(0, 30),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from([tier for tier in TIERS if tier not in ("marker", "exempt", "allow")]).map(
        lambda t: f"{t}:x"
    ),
).map(lambda r: (r[0], min(r[1:3]), max(r[1:3]) + 1, *r[3:]))


@given(st.lists(_SPAN, max_size=12))
def test_merged_spans_are_disjoint_sorted_and_cover_exactly_the_same(rows):
    frame = merge_spans(span_frame(rows))
    covered = [
        (text_id, place) for text_id, start, end, *_ in frame.iter_rows() for place in range(start, end)
    ]
    assert len(covered) == len(set(covered))
    assert set(covered) == {(r[0], place) for r in rows for place in range(r[1], r[2])}
    assert frame.equals(frame.sort("text_id", "start"))
    assert merge_spans(frame).equals(frame)


@given(st.lists(_SPAN, max_size=12), st.randoms())
def test_the_order_of_the_spans_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert merge_spans(span_frame(rows)).equals(merge_spans(span_frame(shuffled)))
