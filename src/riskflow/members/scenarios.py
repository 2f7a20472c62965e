"""Score the scenarios of a decomposition: any model year on any mix of enrolment, diagnoses and drugs.

Data sets of several years are moved to one year (all dates by whole years, so that ages stay), and CMS tables
of another year are laid on it, with their codes' validity moved likewise. What scenarios share is made once:
enrollees per data set, marks of diagnoses and drugs, and raw scores, which cost-sharing factors only scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import polars as pl

from riskflow.contracts.members_tables import METALS
from riskflow.errors import RiskflowError
from riskflow.members import csr
from riskflow.members.engine import program
from riskflow.members.engine.enrolment import Enrolment, Floats, enrolment
from riskflow.members.engine.evidence import mark_diagnoses, mark_drugs
from riskflow.members.engine.marks import Block, Marks
from riskflow.members.engine.score import UNITS_PER_ONE, Prices, block_values, priced
from riskflow.members.parallel import each
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
        """Return member_id, score and member_months of one scenario (full settings), as compare.member_scores."""
        enrolled = self._enrolled(settings["enrolment"], settings["model"])
        raw = self._raw(settings)
        values = raw if score == "raw_score" else raw * self._factors(settings)
        return _averaged(enrolled, values)

    def span_scores(self, settings: Mapping[str, str]) -> pl.DataFrame:
        """Return per span: member_id, span_id, metal, csr_indicator, state, age_last, member_months, both scores."""
        raw = self._raw(settings)
        return self.people(settings).with_columns(
            pl.Series("raw_score", raw), pl.Series("csr_adjusted_score", raw * self._factors(settings))
        )

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

    def _rows(self, kind: str, name: str, model: str) -> pl.DataFrame:
        """Return the diagnoses or drugs of a data set that the model's tables know, moved to the year."""

        def make() -> pl.DataFrame:
            source, tables = self._data_set(name), self._tables(model)
            frame: pl.DataFrame = getattr(source, kind)
            if kind == "diagnoses":
                known = pl.col("code").is_in(tables.codes["code"].implode())
            else:
                listed = tables.drugs["code"].implode()
                known = pl.col("ndc").is_in(listed) | pl.col("hcpcs").is_in(listed)
            return moved(frame.filter(known), ("service_date",), self._year - source.year)

        return self._once(("rows", kind, name, model), make)

    def _marks(self, kind: str, name: str, people: str, model: str) -> Marks:
        def make() -> Marks:
            tables, enrolled = self._tables(model), self._enrolled(people, model)
            marks = Marks(program.shared_variables(tables), enrolled.model)
            mark = mark_diagnoses if kind == "diagnoses" else mark_drugs
            mark(enrolled, self._rows(kind, name, model), tables, marks)
            return marks

        return self._once((kind, name, people, model), make)

    def _raw(self, settings: Mapping[str, str]) -> Floats:
        people, model = settings["enrolment"], settings["model"]
        key = ("raw", people, model, settings["diagnoses"], settings["drugs"])

        def make() -> Floats:
            marks = [self._marks(kind, settings[kind], people, model) for kind in ("diagnoses", "drugs")]
            return raw_scores(self._enrolled(people, model), marks, self._prices(model))

        return self._once(key, make)

    def _factors(self, settings: Mapping[str, str]) -> Floats:
        """Return the cost-sharing factor of every span of the enrolment."""
        people, adjusting = settings["enrolment"], settings["csr"]

        def make() -> Floats:
            years = self._data_set(people).year, self._native_year(adjusting)
            table = csr.crossed_factors(self._tables(adjusting).csr_factors, *years)
            spans = self._enrolled(people, settings["model"]).spans.select("csr_indicator", "metal")
            found = spans.join(table, on=["csr_indicator", "metal"], how="left", maintain_order="left")
            return found["factor"].fill_null(1.0).to_numpy()

        return self._once(("factors", people, adjusting), make)


_KEPT = {
    "tables": 16,
    "prices": 16,
    "enrolled": 1,
    "rows": 8,
    "diagnoses": 2,
    "drugs": 2,
    "raw": 1,
    "factors": 4,
}


def _averaged(enrolled: Enrolment, values: Floats) -> pl.DataFrame:
    """Return members' scores: their spans' by member months, plainly where there is one span or no month."""
    owner = enrolled.member[enrolled.unit_of_span]
    count = np.bincount(owner, minlength=len(enrolled.members))
    months = np.bincount(owner, enrolled.months, minlength=len(enrolled.members))
    plain = (count == 1)[owner] | (months == 0)[owner]
    weight = np.where(plain, 1.0 / count[owner], enrolled.months / np.where(plain, 1.0, months[owner]))
    score = np.bincount(owner, values * weight, minlength=len(enrolled.members))
    return pl.DataFrame({"member_id": enrolled.members, "score": score, "member_months": months})


def raw_scores(enrolled: Enrolment, marks: list[Marks], prices: list[Prices]) -> Floats:
    """Return the raw score of every span: marks of diagnoses and drugs run through the models' programs.

    Coefficients are whole numbers of 1e-12 and below 2^53 in sum, so the float products are exact.
    """
    by_metal = np.zeros((len(METALS), enrolled.units))
    work = partial(_score_block, enrolled, marks[0], prices, by_metal)
    each(lambda blocks: work(*blocks), zip(*(part.blocks() for part in marks), strict=True))
    spans: Floats = by_metal[enrolled.metal, enrolled.unit_of_span] / UNITS_PER_ONE
    return spans


def _score_block(
    enrolled: Enrolment,
    marks: Marks,
    prices: list[Prices],
    by_metal: Floats,
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
