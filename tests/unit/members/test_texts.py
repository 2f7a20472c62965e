"""Text columns as numbers and work in threads: the same as row by row, one after another."""

import threading

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskflow.members import csr
from riskflow.members.parallel import each, mapped
from riskflow.members.texts import alike, coded, joined, rewritten, tidied, trimmed

TEXTS = st.lists(st.one_of(st.none(), st.sampled_from(["", " ", "a", " a", "A ", "a\tb", "ü", "x" * 40])))


def column(texts: list[str | None]) -> pl.Series:
    return pl.Series("text", texts, pl.String)


@given(TEXTS)
def test_a_coded_column_is_the_column(texts: list[str | None]) -> None:
    cells = coded(column(texts))
    assert cells.texts.n_unique() == len(cells.texts)
    assert cells.column().to_list() == texts


@given(TEXTS)
def test_a_column_is_tidied_and_rewritten_as_row_by_row(texts: list[str | None]) -> None:
    plain = column(texts)
    assert tidied(plain).to_list() == plain.to_frame().select(trimmed(pl.first())).to_series().to_list()

    def upper(text: pl.Expr) -> pl.Expr:
        return trimmed(text).str.to_uppercase()

    assert (
        rewritten(plain, upper).to_list() == plain.to_frame().select(upper(pl.first())).to_series().to_list()
    )


def test_a_clean_column_is_not_made_anew() -> None:
    clean = column(["a", None, "b"])
    assert tidied(clean) is clean
    assert rewritten(clean, trimmed) is clean


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_columns_are_brought_to_the_same_texts_in_order(parts: list[list[str | None]]) -> None:
    columns = alike([coded(column(texts)).ranked(trimmed) for texts in parts])
    assert all(one.texts.equals(columns[0].texts) for one in columns)
    assert columns[0].texts.to_list() == sorted(columns[0].texts.to_list())
    expected = column([text for texts in parts for text in texts]).to_frame().select(trimmed(pl.first()))
    assert joined(columns).column().to_list() == expected.to_series().to_list()


def test_threads_that_are_at_work_do_not_share_out_their_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARS_MAX_THREADS", "2")

    def inner(_: int) -> int:
        return threading.get_ident()

    def outer(_: int) -> tuple[int, set[int]]:
        return threading.get_ident(), set(each(inner, range(20)))

    assert all(within == {thread} for thread, within in mapped(outer, range(6)))
    assert threading.get_ident() not in each(inner, range(20))
    assert each(lambda number: number * 2, range(5)) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("year", range(2021, 2027))
def test_an_indicator_fits_a_metal_where_the_table_has_the_pair(year: int) -> None:
    pairs = {(indicator, metal) for indicator, metal, _ in csr.meanings(year).iter_rows()}
    metals = ["platinum", "gold", "silver", "bronze", "catastrophic", "copper", None]
    asked = [(indicator, metal) for indicator in [*range(-1, 20), None] for metal in metals]
    frame = pl.DataFrame(asked, schema={"indicator": pl.Int64, "metal": pl.String}, orient="row")
    fits = frame.select(csr.fits(year, pl.col("indicator"), pl.col("metal")).fill_null(False)).to_series()
    assert fits.to_list() == [pair in pairs for pair in asked]
