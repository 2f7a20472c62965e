"""Borders of elements in a stream: every element found, damage told with its place, what follows still read."""

import io
import json
import re

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskflow.notes.ingest import scan

BEGINS = re.compile(rb'\{\s*"patient"\s*:')
leaf = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(alphabet='ab"\\{}[]:,\n é漢')
)
value = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
objects = st.lists(st.dictionaries(st.text(alphabet='a"\\{}[', max_size=4), value, max_size=4), max_size=8)


def read(data: bytes) -> list[scan.Element]:
    return list(scan.elements(io.BytesIO(data), BEGINS))


@settings(deadline=None, max_examples=150)
@given(objects, st.sampled_from([None, 2]), st.integers(1, 40))
def test_every_element_of_an_array_is_found_at_its_place_whatever_the_block(items, indent, block):
    data = json.dumps(items, indent=indent).encode()
    before, scan.BLOCK = scan.BLOCK, block
    try:
        found = read(data)
    finally:
        scan.BLOCK = before
    assert [e.value for e in found] == items
    assert all(orjson.loads(data[e.offset : e.offset + e.size]) == e.value for e in found)
    assert not any(e.fault for e in found)


@pytest.mark.parametrize("block", [3, 16, 4 << 20])
@pytest.mark.parametrize(
    ("data", "values", "fault"),
    [
        (b'[{"patient": 1}, {"patient": 2', [{"patient": 1}], "cut off"),
        (b'[{"patient": 1}', [{"patient": 1}], "truncated"),
        (
            b'[{"patient": 1}, {"patient" 2}, {"patient": 3}]',
            [{"patient": 1}, {"patient": 3}],
            "not valid JSON",
        ),
        (b'[{"patient": 1}, {"patient": {"a": [}, {"patient": 3}]', [{"patient": 1}, {"patient": 3}], ""),
        (b'[{"patient": "\xff"}, {"patient": 3}]', [{"patient": 3}], "UTF-8"),
        (b'[{"patient": "open}, {"patient": 3}]', [{"patient": 3}], ""),
        (b'[{"patient": 1}] [{"patient": 2}]', [{"patient": 1}], "second document"),
        (b'[{"patient": 1}, 17, {"patient": 3}]', [{"patient": 1}, {"patient": 3}], "not an object"),
        (b'[17, "x"]', [], "not an object"),
        (b"nonsense", [], "cut off"),
    ],
)
def test_damage_is_told_and_the_elements_after_it_are_read(data, values, fault, block, monkeypatch):
    monkeypatch.setattr(scan, "BLOCK", block)
    found = read(data)
    assert [e.value for e in found if not e.fault] == values
    faults = [e.fault for e in found if e.fault]
    assert faults, "the damage was passed over"
    assert any(fault in told for told in faults), faults


def test_values_one_after_the_other_are_read_without_an_array():
    assert [e.value for e in read(b'{"patient": 1}\n{"patient": 2} {"patient": 3}\n')] == [
        {"patient": n} for n in (1, 2, 3)
    ]


def test_a_byte_order_mark_and_blanks_are_no_fault():
    assert [e.value for e in read(b'\xef\xbb\xbf \n [ {"patient": 1} ] \n')] == [{"patient": 1}]


def test_empty_files_and_empty_arrays_hold_nothing():
    assert read(b"") == []
    assert read(b" [ ] ") == []


def test_an_element_longer_than_the_limit_is_told(monkeypatch):
    monkeypatch.setattr(scan, "BLOCK", 64)
    monkeypatch.setattr(scan, "LONGEST_ELEMENT", 256)
    found = read(b'[{"patient": "' + b"x" * 5000 + b'"}]')
    assert [e.fault != "" for e in found] == [True]


def test_quotes_after_backslashes_are_told_apart():
    tricky = [{"a": "\\"}, {"b": '\\"{'}, {"c": "\\\\\\"}, {"d": '"'}]
    assert [e.value for e in read(json.dumps(tricky).encode())] == tricky
