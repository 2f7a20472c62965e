"""Keys and surrogates: the same key gives the same, another key nothing in common; keys are read safely."""

import datetime as dt
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskflow.errors import RiskflowError
from riskflow.notes.pseudonym import (
    KEY_VARIABLE,
    create_key,
    keyed_hash,
    load_key,
    pseudonym,
    pseudonyms,
    shift_days,
    shifted,
)
from tests.unit.notes.notes_frames import KEY, OTHER_KEY


def test_the_same_key_gives_the_same_pseudonym_and_another_key_none_in_common():
    values = [f"patient-{n}" for n in range(2_000)]
    first = {pseudonym(KEY, "patient", value) for value in values}
    assert first == {pseudonym(KEY, "patient", value) for value in values}
    assert len(first) == len(values)
    assert not first & {pseudonym(OTHER_KEY, "patient", value) for value in values}


def test_a_pseudonym_is_no_word_and_no_number():
    assert re.fullmatch(r"[bcdfghjklmnpqrstvwxz]{16}", pseudonym(KEY, "patient", "1"))


def test_parts_are_told_apart():
    assert pseudonym(KEY, "ab", "c") != pseudonym(KEY, "a", "bc")
    assert keyed_hash(KEY, "ab", "c") != keyed_hash(KEY, "a", "bc")


def test_pseudonyms_of_a_column_keep_nulls_and_equality():
    found = pseudonyms(KEY, "patient", pl.Series(["a", None, "a", "b"]))
    assert found.to_list() == [pseudonym(KEY, "patient", "a"), None, found[0], pseudonym(KEY, "patient", "b")]


@given(
    st.text(max_size=12),
    st.dates(dt.date(1900, 1, 1), dt.date(2090, 1, 1)),
    st.dates(dt.date(1900, 1, 1), dt.date(2090, 1, 1)),
)
def test_shifted_days_keep_their_distance_and_always_move(patient, first, second):
    assert shifted(KEY, patient, second) - shifted(KEY, patient, first) == second - first
    assert 0 < abs(shift_days(KEY, patient)) <= 364


def test_patients_are_shifted_differently():
    assert len({shift_days(KEY, str(n)) for n in range(300)}) > 100


def test_a_key_file_must_be_its_owners_alone(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    file = tmp_path / "notes.key"
    file.write_bytes(KEY + b"\n")
    file.chmod(0o644)
    with pytest.raises(RiskflowError, match="chmod 600"):
        load_key(file)
    file.chmod(0o600)
    assert load_key(file) == KEY


def test_a_missing_or_short_key_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(RiskflowError, match="no key"):
        load_key()
    with pytest.raises(RiskflowError, match="is not there"):
        load_key(tmp_path / "absent.key")
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(RiskflowError, match="at least 16") as error:
        load_key()
    assert "short" not in error.value.message.split("bytes")[0].replace("has 5", "")
    monkeypatch.setenv(KEY_VARIABLE, KEY.decode())
    assert load_key() == KEY


def test_a_created_key_is_readable_by_its_owner_only_and_never_overwritten(tmp_path):
    file = tmp_path / "keys" / "notes.key"
    create_key(file)
    first = load_key(file)
    create_key(file)
    assert load_key(file) == first and file.stat().st_mode & 0o777 == 0o600
