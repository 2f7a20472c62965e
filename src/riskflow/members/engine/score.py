"""Spans, diagnoses and drugs → one HHS-HCC score per member and plan span.

Coefficients are summed as integers of 1e-12, so that no order of members, shards or threads changes a bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from riskflow.contracts.members_scores import SCORES
from riskflow.contracts.members_tables import METALS, MODELS
from riskflow.members.engine import program
from riskflow.members.engine.enrolment import REQUIRED, Enrolment, Ints, enrolment
from riskflow.members.engine.evidence import mark_diagnoses, mark_drugs
from riskflow.members.engine.marks import Block, Marks
from riskflow.members.engine.program import Program, Values
from riskflow.members.parallel import each
from riskflow.members.tables.load import TableSet

UNITS_PER_ONE = 10**12
_HIGHEST_CSR = 100
_PASSED_ON = ("plan_id", "issuer", "market", "state", "rating_area")
SPAN_COLUMNS = (*REQUIRED, "csr_indicator", *_PASSED_ON)
"""All that `score` reads of a span."""


@dataclass(frozen=True)
class Scored:
    """Scores (SCORES contract), and the diagnoses and drugs that do not count (REJECTED contract)."""

    scores: pl.DataFrame
    diagnoses: pl.DataFrame
    drugs: pl.DataFrame

    @property
    def rejected(self) -> pl.DataFrame:
        """All evidence that does not count: diagnoses, then drugs."""
        return pl.concat([self.diagnoses, self.drugs])


@dataclass(frozen=True)
class Prices:
    """A model's program with its coefficients: units of 1e-12 by variable (in `program.paid` order) and metal.

    `names`: place of each paid variable among all variables of the year, by name; `first`: place of the
    model's first variable when the models' price lists are joined.
    """

    program: Program
    units: Ints
    names: Ints
    first: int


@dataclass(frozen=True)
class Terms:
    """What enrollees add up: how many variables each, and one after another their places in the price list."""

    units: Ints
    count: Ints
    paid: Ints


def score(spans: pl.DataFrame, diagnoses: pl.DataFrame, drugs: pl.DataFrame, tables: TableSet) -> Scored:
    """Return the scores of all plan spans with a day in the benefit year, and the evidence that does not count.

    spans: SPAN_COLUMNS, of which plan_id, issuer, market, state and rating_area may be absent; diagnoses: member_id,
    code, service_date, if there diagnosis_id and eligible; drugs: member_id, ndc, hcpcs, if there service_date and
    drug_id.
    Unusable spans raise RiskflowError (see `enrolment`). Scores come back in the order of the spans given, rejected
    rows in that of the evidence.
    """
    spans = spans.with_row_index("__row")
    enrolled = enrolment(spans, tables)
    marks = Marks(program.shared_variables(tables), enrolled.model)
    rejected = [
        mark_diagnoses(enrolled, diagnoses, tables, marks),
        mark_drugs(enrolled, drugs, tables, marks),
    ]
    names, prices = priced(tables)
    sums = _sums(enrolled, _terms(enrolled, marks, prices), prices)
    scores = _frame(enrolled, sums, names, tables)
    return Scored(scores, *rejected)


@lru_cache(maxsize=16)
def priced(tables: TableSet) -> tuple[list[str], list[Prices]]:
    """Return the names of all paid variables, and each model's program and prices (in the order of MODELS)."""
    names = tables.coefficients["variable"].unique().sort().to_list()
    place = {name: number for number, name in enumerate(names)}
    found: list[Prices] = []
    for model in MODELS:
        compiled = program.compiled(tables, model)
        wide = tables.coefficients.filter(model=model).pivot("metal", index="variable", values="coefficient")
        wide = wide.sort("variable").select(METALS)
        units = np.rint(wide.to_numpy() * UNITS_PER_ONE).astype(np.int64)
        first = sum(len(price.names) for price in found)
        found.append(Prices(compiled, units, np.array([place[name] for name in compiled.paid_names]), first))
    return names, found


def block_values(enrolled: Enrolment, marks: Marks, compiled: Program, block: Block) -> Values:
    """Return a model's variables (row) of a block's enrollees (column) before the statements run."""
    values = np.zeros((len(compiled.variables), len(block.units)), np.uint8)
    values[: len(block.marks)] = block.marks
    values[marks.rows["AGE_LAST"]] = enrolled.age_last[block.units]
    values[marks.rows["ENROLDURATION"]] = enrolled.duration[block.units]
    values[marks.rows["MALE"]] = enrolled.male[block.units]
    values[marks.rows["FEMALE"]] = 1 - enrolled.male[block.units]
    return values


def _terms(enrolled: Enrolment, marks: Marks, prices: list[Prices]) -> list[Terms]:
    return each(partial(_block_terms, enrolled, marks, prices), marks.blocks())


def _block_terms(enrolled: Enrolment, marks: Marks, prices: list[Prices], block: Block) -> Terms:
    """Run a block's model; return the set variables that have coefficients, by enrollee and name."""
    price = prices[block.model]
    values = block_values(enrolled, marks, price.program, block)
    program.run(price.program, values)
    width = len(block.units)
    flat = np.flatnonzero(values[price.program.paid].reshape(-1).view(np.bool_))
    paid, lane = np.divmod(flat, width)
    order = np.argsort(lane.astype(np.uint16), kind="stable")  # names stay in order within each enrollee
    return Terms(block.units, np.bincount(lane, minlength=width), price.first + paid[order])


@dataclass(frozen=True)
class Sums:
    """The terms of all spans, in their order: `ends` per span into `name` (of all names) and `units`."""

    count: Ints
    name: Ints
    units: Ints


def _sums(enrolled: Enrolment, terms: list[Terms], prices: list[Prices]) -> Sums:
    """Return each span's variables, priced by its metal."""
    counts = _joined([part.count for part in terms])
    order = _joined([part.units for part in terms])
    starts = np.empty(enrolled.units, np.int64)
    count_of = np.empty(enrolled.units, np.int64)
    starts[order], count_of[order] = np.cumsum(counts) - counts, counts
    count = count_of[enrolled.unit_of_span]
    paid = _joined([part.paid for part in terms])[_ranges(starts[enrolled.unit_of_span], count)]
    metal = np.repeat(enrolled.metal, count)
    units = np.concatenate([price.units for price in prices])
    names = np.concatenate([price.names for price in prices])
    return Sums(count, names[paid], units[paid, metal])


def _ranges(start: Ints, count: Ints) -> Ints:
    """Return start[0] … start[0]+count[0]-1, start[1] …, one after another."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    places: Ints = np.arange(total) + np.repeat(start - (ends - count), count)
    return places


def _frame(enrolled: Enrolment, sums: Sums, names: list[str], tables: TableSet) -> pl.DataFrame:
    ends = np.cumsum(sums.count)
    total = np.append(0, np.cumsum(sums.units))
    raw = (total[ends] - total[ends - sums.count]) / UNITS_PER_ONE
    unit = enrolled.unit_of_span
    spans = enrolled.spans
    given = set(spans.columns)
    factor = _csr_factors(spans, enrolled.metal, tables)
    frame = spans.select(
        "__row",
        "member_id",
        "span_id",
        pl.lit(tables.benefit_year, pl.Int16).alias("benefit_year"),
        pl.lit(tables.vintage).alias("vintage"),
        pl.lit(tables.model_version).alias("model_version"),
        pl.Series("model", MODELS).gather(enrolled.model[unit].astype(np.uint32)),
        "metal",
        pl.col("csr_indicator").cast(pl.Int64),
        *(column if column in given else pl.lit(None).alias(column) for column in _PASSED_ON),
        "sex",
        pl.Series("age_last", enrolled.age_last[unit], pl.Int16),
        pl.Series("enrolled_days", enrolled.end - enrolled.start + 1, pl.Int16),
        pl.Series("member_months", enrolled.months),
        pl.Series("enrolment_duration", enrolled.duration[unit], pl.Int16),
        pl.Series("raw_score", raw),
        pl.Series("csr_factor", factor),
        pl.Series("csr_adjusted_score", raw * factor),
        _texts(np.append(0, ends), sums.name, names).alias("variables"),
        _numbers(np.append(0, ends), sums.units / UNITS_PER_ONE).alias("coefficients"),
    )
    if not frame["__row"].is_sorted():
        frame = frame.sort("__row")
    return frame.drop("__row").cast(dict(SCORES.schema))  # type: ignore[arg-type]


def _csr_factors(spans: pl.DataFrame, metal: Ints, tables: TableSet) -> npt.NDArray[np.float64]:
    factors = np.ones((_HIGHEST_CSR, len(METALS)))
    for indicator, name, factor in tables.csr_factors.select("csr_indicator", "metal", "factor").iter_rows():
        factors[indicator, METALS.index(name)] = factor
    indicator = spans["csr_indicator"].cast(pl.Int64).fill_null(0).clip(0, _HIGHEST_CSR - 1).to_numpy()
    picked: npt.NDArray[np.float64] = factors[indicator, metal]
    return picked


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _texts(offsets: Ints, numbers: Ints, names: list[str]) -> pl.Series:
    """Return a list column of names, from each row's first place and the places of the names."""
    words = pa.DictionaryArray.from_arrays(
        pl.Series(numbers, dtype=pl.Int32).to_arrow(), pl.Series(names).to_arrow()
    )
    return _lists(offsets, words).cast(pl.List(pl.String))


def _numbers(offsets: Ints, values: npt.NDArray[np.float64]) -> pl.Series:
    return _lists(offsets, pl.Series(values).to_arrow())


def _lists(offsets: Ints, values: pa.Array) -> pl.Series:
    """Return a list column from each row's first place; by polars' arrays, for pa.array imports pandas if it can."""
    starts = pl.Series(offsets, dtype=pl.Int64).to_arrow()
    return pl.Series(pl.from_arrow(pa.LargeListArray.from_arrays(starts, values)))
