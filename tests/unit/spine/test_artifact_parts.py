"""Artifacts written part by part: the bytes of one write, checked as they come, all or nothing."""

import itertools
import threading
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskflow import artifacts
from riskflow.artifacts import _is_strictly_ascending
from riskflow.errors import RiskflowError
from riskflow.pieces import LEAST_ROWS, MOST_ROWS, bounds, columns, pieces
from tests.unit.spine.test_artifacts import KEYLESS, LISTS, PEOPLE, people

KEYS = st.lists(st.tuples(st.sampled_from([None, "a", "ab", "b"]), st.sampled_from([None, 1, 2])), max_size=8)


def lists(rows: int) -> pl.DataFrame:
    """Return rows of the LISTS contract, in the order of its key."""
    numbers = pl.concat_list([pl.col("n") * share for share in (0.1, 0.7)]).alias("numbers")
    texts = pl.concat_list([(pl.col("n") % share).cast(pl.String) for share in (7, 101)]).alias("texts")
    return pl.DataFrame({"n": pl.int_range(rows, eager=True)}).with_columns(numbers, texts)


@pytest.mark.parametrize("cuts", [[], [0, 0], [1], [262_144], [10, 100_000, 262_143, 299_999]])
def test_the_bytes_are_those_of_one_write(tmp_path: Path, cuts: list[int]) -> None:
    for name, rows, contract in (
        ("lists", lists(300_000), LISTS),
        ("people", people(300_000).sort("person", "year"), PEOPLE),
    ):
        whole = artifacts.write(rows, tmp_path / f"{name}.parquet", contract)
        with (
            artifacts.ledger("") as ledger,
            artifacts.writing(tmp_path / f"{name}_parts.parquet", contract) as add,
        ):
            for start, stop in itertools.pairwise([0, *cuts, rows.height]):
                add(rows[start:stop].rechunk())
        assert (tmp_path / f"{name}_parts.parquet").read_bytes() == (
            tmp_path / f"{name}.parquet"
        ).read_bytes()
        assert [(one.rows, one.digest) for one in ledger.outputs] == [(whole.rows, whole.digest)]


def test_no_part_is_an_artifact_without_rows(tmp_path: Path) -> None:
    with artifacts.writing(tmp_path / "a.parquet", PEOPLE):
        pass
    assert artifacts.read(tmp_path / "a.parquet", PEOPLE).schema == pl.Schema(PEOPLE.schema)


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (people(1), "do not come in the order of its key, or repeat one"),
        (people(1).with_columns(person=pl.lit("z"), weight=float("nan")), "weight is a finite number"),
        (people(1).drop("weight"), "missing columns: weight"),
    ],
)
def test_a_part_that_breaks_a_promise_leaves_the_old_artifact(
    tmp_path: Path, second: pl.DataFrame, why: str
) -> None:
    path = tmp_path / "a.parquet"
    artifacts.write(people(10), path, PEOPLE)
    before = path.read_bytes()
    with pytest.raises(RiskflowError, match=why), artifacts.writing(path, PEOPLE) as add:
        add(people(1))
        add(second)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


def test_promises_are_kept_without_a_key_too(tmp_path: Path) -> None:
    with pytest.raises(RiskflowError, match="n has nulls"), artifacts.writing(tmp_path / "a", KEYLESS) as add:
        add(pl.DataFrame({"n": [2, 1, 1]}))
        add(pl.DataFrame({"n": [None]}, schema={"n": pl.Int64}))
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_one_who_gives_the_parts_leaves_nothing(tmp_path: Path) -> None:
    before = threading.active_count()
    with (
        pytest.raises(LookupError, match="no such member"),
        artifacts.writing(tmp_path / "a.parquet", PEOPLE) as add,
    ):
        add(people(5).sort("person"))
        raise LookupError("no such member")
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before


def test_a_full_file_system_ends_the_writing_and_not_with_waiting(small_file_system: Path) -> None:
    path, rows = small_file_system / "a.parquet", people(900_000).sort("person", "year")
    with (
        pytest.raises(RiskflowError, match=r"cannot write .*a\.parquet: No space left"),
        artifacts.writing(path, PEOPLE) as add,
    ):
        for start in range(0, rows.height, 10_000):
            add(rows[start : start + 10_000])
    assert list(small_file_system.iterdir()) == []


@given(KEYS, st.lists(st.integers(0, 8), max_size=3))
def test_rows_are_in_strict_order_whatever_pieces_they_lie_in(
    keys: list[tuple[str | None, int | None]], cuts: list[int]
) -> None:
    frame = pl.DataFrame(keys, schema={"text": pl.String, "number": pl.Int64}, orient="row")
    edges = [0, *sorted(cuts), frame.height]
    frame = pl.concat([frame[a:b].rechunk() for a, b in itertools.pairwise(edges) if a <= b] or [frame])
    ranks = [(text or "", number or 0) for text, number in frame.rows()]
    expected = all(before < after for before, after in itertools.pairwise(ranks))
    assert _is_strictly_ascending(frame, ["text", "number"]) == expected


def cut(rows: int, places: list[int]) -> pl.Series:
    """Return the numbers below `rows` in pieces that end at the places."""
    edges = sorted({0, rows, *(place for place in places if place < rows)})
    numbers = [pl.int_range(a, b, eager=True) for a, b in itertools.pairwise(edges)]
    return pl.concat(numbers or [pl.Series([], dtype=pl.Int64)], rechunk=False)


PLACES = st.lists(st.integers(0, 60).map(lambda place: place * 10_000), max_size=4)


@given(PLACES, PLACES, st.integers(0, 60))
def test_pieces_are_all_the_rows_and_each_lies_in_one(cuts: list[int], others: list[int], tens: int) -> None:
    rows = tens * 10_000
    frame = pl.DataFrame([cut(rows, cuts).alias("a"), cut(rows, others).alias("b"), cut(rows, []).alias("c")])
    parts = list(pieces(frame))
    assert pl.concat(parts).equals(frame)
    assert all(set(part.n_chunks("all")) == {1} for part in parts)
    assert all(length <= MOST_ROWS + LEAST_ROWS for _, length in bounds(frame))
    assert columns(frame, ["c", "a"]).equals(frame.select("c", "a"))


def test_many_small_pieces_are_asked_together() -> None:
    frame = cut(50_000, list(range(0, 50_000, 7))).alias("n").to_frame()
    parts = list(pieces(frame))
    assert pl.concat(parts).equals(frame)
    assert 1 < len(parts) <= 50_000 // LEAST_ROWS + 1
