"""Score the scenarios of a decomposition: any model year on any mix of enrolment, diagnoses and drugs.

Data sets of several years are moved to one year (all dates by whole years, so that ages stay), and CMS tables
of another year are laid on it, with their codes' validity moved likewise. What scenarios share is made once:
enrollees per data set, marks of diagnoses and drugs, and raw scores, which cost-sharing factors only scale.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from riskflow.contracts.members_tables import METALS
from riskflow.errors import RiskflowError
from riskflow.members import csr
from riskflow.members.compare import member_scores
from riskflow.members.engine import program
from riskflow.members.engine.enrolment import Enrolment, enrolment
from riskflow.members.engine.evidence import mark_diagnoses, mark_drugs
from riskflow.members.engine.marks import Block, Marks
from riskflow.members.engine.score import UNITS_PER_ONE, Prices, block_values, priced
from riskflow.members.tables.load import LATEST, TableSet

Piece = TypeVar("Piece")
SCORES = ("csr_adjusted_score", "raw_score")
_SPAN_DATES = ("date_of_birth", "enrolment_start", "enrolment_end")


@dataclass(frozen=True)
class DataSet:
    """Validated members of one benefit year: SPANS, DIAGNOSES and DRUGS frames, and the artifacts' digests."""

    year: int
    spans: pl.DataFrame
    diagnoses: pl.DataFrame
    drugs: pl.DataFrame
    digests: Mapping[str, str]


def moved(frame: pl.DataFrame, columns: tuple[str, ...], years: int) -> pl.DataFrame:
    """Return a frame with dates moved by whole years; 29 February becomes 28."""
    if not years:
        return frame
    return frame.with_columns(pl.col(name).dt.offset_by(f"{years}y") for name in columns)


def tables_in_year(tables: TableSet, year: int) -> TableSet:
    """Return a set of tables laid on another benefit year: its rules, with codes valid as many years later."""
    codes = moved(tables.codes, ("valid_from", "valid_to"), year - tables.benefit_year)
    return replace(tables, benefit_year=year, codes=codes)


class ScenarioScores:
    """Scores of scenarios over named data sets, all in one benefit year."""

    def __init__(
        self, data: Mapping[str, DataSet], year: int, tables: Callable[[int, str], TableSet]
    ) -> None:
        """`tables(benefit_year, vintage)` loads a set of CMS tables."""
        self._data, self._year, self._load = data, year, tables
        self._pieces: dict[tuple[str, ...], object] = {}

    def member_scores(self, settings: Mapping[str, str], score: str) -> pl.DataFrame:
        """Return member_id, score and member_months of one scenario (full settings), one row per member."""
        return member_scores(self.span_scores(settings), score)

    def span_scores(self, settings: Mapping[str, str]) -> pl.DataFrame:
        """Return per span: member_id, span_id, metal, csr_indicator, state, age_last, member_months, both scores."""
        raw = self._raw(settings)
        source = self._data_set(settings["enrolment"])
        adjusting = self._tables(settings["csr"])
        factors = csr.crossed_factors(adjusting.csr_factors, source.year, self._native_year(settings["csr"]))
        return raw.join(
            factors, on=["csr_indicator", "metal"], how="left", maintain_order="left"
        ).with_columns((pl.col("raw_score") * pl.col("factor").fill_null(1.0)).alias("csr_adjusted_score"))

    def people(self, settings: Mapping[str, str]) -> pl.DataFrame:
        """Return per span: member_id, span_id, metal, csr_indicator, state, age_last and member_months."""
        return _span_frame(self._enrolled(settings["enrolment"], settings["model"]))

    def digests(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return the digests of the inputs that a scenario reads."""
        found = {}
        for part, table in (("enrolment", "spans"), ("diagnoses", "diagnoses"), ("drugs", "drugs")):
            found[table] = self._data_set(settings[part]).digests[table]
        return found

    def model_version(self, settings: Mapping[str, str]) -> str:
        """Return the HHS-HCC classification version of a scenario's model."""
        return self._tables(settings["model"]).model_version

    def tables_used(self, settings: Mapping[str, str]) -> str:
        """Return the year and vintage that a scenario's model stands for, `latest` resolved."""
        return f"{self._native_year(settings['model'])}/{self._tables(settings['model']).vintage}"

    def _data_set(self, name: str) -> DataSet:
        if name not in self._data:
            raise RiskflowError(
                f"a scenario names the data set {name}", f"there are: {', '.join(sorted(self._data))}"
            )
        return self._data[name]

    def _native_year(self, model: str) -> int:
        year = model.partition("/")[0]
        if not year.isdigit():
            raise RiskflowError(
                "a scenario names a model that is no benefit year", "write 2025 or 2025/vintage"
            )
        return int(year)

    def _tables(self, model: str) -> TableSet:
        def load() -> TableSet:
            vintage = model.partition("/")[2] or LATEST
            return tables_in_year(self._load(self._native_year(model), vintage), self._year)

        return self._once(("tables", model), load)

    def _once(self, key: tuple[str, ...], make: Callable[[], Piece]) -> Piece:
        """Return what was made for a key; of each kind at most a few are kept, the oldest goes."""
        if key not in self._pieces:
            kind = [known for known in self._pieces if known[0] == key[0]]
            if len(kind) >= _KEPT[key[0]]:
                del self._pieces[kind[0]]
            self._pieces[key] = make()
        return self._pieces[key]  # type: ignore[return-value]

    def _prices(self, model: str) -> list[Prices]:
        return self._once(("prices", model), lambda: priced(self._tables(model))[1])

    def _enrolled(self, name: str, model: str) -> Enrolment:
        def make() -> Enrolment:
            source = self._data_set(name)
            columns = [
                "member_id",
                "span_id",
                "sex",
                "date_of_birth",
                "metal",
                "csr_indicator",
                "issuer",
                "market",
            ]
            spans = source.spans.select(*columns, "state", "enrolment_start", "enrolment_end")
            return enrolment(moved(spans, _SPAN_DATES, self._year - source.year), self._tables(model))

        return self._once(("enrolled", name, model), make)

    def _marks(self, kind: str, name: str, people: str, model: str) -> Marks:
        def make() -> Marks:
            source, tables = self._data_set(name), self._tables(model)
            enrolled = self._enrolled(people, model)
            rows = moved(getattr(source, kind), ("service_date",), self._year - source.year)
            marks = Marks(program.shared_variables(tables), enrolled.model)
            (mark_diagnoses if kind == "diagnoses" else mark_drugs)(enrolled, rows, tables, marks)
            return marks

        return self._once((kind, name, people, model), make)

    def _raw(self, settings: Mapping[str, str]) -> pl.DataFrame:
        people, model = settings["enrolment"], settings["model"]
        key = ("raw", people, model, settings["diagnoses"], settings["drugs"])

        def make() -> pl.DataFrame:
            marks = [self._marks(kind, settings[kind], people, model) for kind in ("diagnoses", "drugs")]
            enrolled = self._enrolled(people, model)
            raw = raw_scores(enrolled, marks, self._prices(model))
            return _span_frame(enrolled).with_columns(pl.Series("raw_score", raw))

        return self._once(key, make)


_KEPT = {"tables": 16, "prices": 16, "enrolled": 1, "diagnoses": 2, "drugs": 2, "raw": 1}


def raw_scores(enrolled: Enrolment, marks: list[Marks], prices: list[Prices]) -> NDArray[np.float64]:
    """Return the raw score of every span: marks of diagnoses and drugs run through the models' programs.

    Coefficients are whole numbers of 1e-12 and below 2^53 in sum, so the float products are exact.
    """
    by_metal = np.zeros((len(METALS), enrolled.units))
    work = partial(_score_block, enrolled, marks[0], prices, by_metal)
    workers = int(os.environ.get("POLARS_MAX_THREADS") or os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, *(part.blocks() for part in marks)))
    spans: NDArray[np.float64] = by_metal[enrolled.metal, enrolled.unit_of_span] / UNITS_PER_ONE
    return spans


def _score_block(
    enrolled: Enrolment,
    marks: Marks,
    prices: list[Prices],
    by_metal: NDArray[np.float64],
    one: Block,
    other: Block,
) -> None:
    """Write the sums of one block of enrollees, at each metal, into `by_metal`; blocks share no enrollee."""
    price = prices[one.model]
    values = block_values(enrolled, marks, price.program, replace(one, marks=one.marks | other.marks))
    program.run(price.program, values)
    paid = values[price.program.paid].astype(np.float64)
    by_metal[:, one.units] = price.units.T.astype(np.float64) @ paid


def _span_frame(enrolled: Enrolment) -> pl.DataFrame:
    spans = enrolled.spans.select("member_id", "span_id", "metal", "csr_indicator", "state")
    return spans.with_columns(
        pl.Series("age_last", enrolled.age_last[enrolled.unit_of_span]),
        pl.Series("member_months", enrolled.months),
    )
