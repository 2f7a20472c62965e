"""Enrolment spans → enrollees: a member in one issuer and market, over which diagnoses and days pool.

Source: DIY Table 1 (AGE_LAST, ENROLDURATION) of the benefit year.
"""

from __future__ import annotations

from calendar import isleap, monthrange
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from riskflow.contracts.members_tables import METALS, MODELS
from riskflow.errors import RiskflowError
from riskflow.members.tables.load import TableSet

Ints = npt.NDArray[np.signedinteger[Any]]
Floats = npt.NDArray[np.float64]
_DAY_STRIDE = 1000  # more than the days of a year: keeps the running latest day of one enrollee from the next
REQUIRED = ("member_id", "span_id", "sex", "date_of_birth", "metal", "enrolment_start", "enrolment_end")


@dataclass(frozen=True)
class Year:
    """A benefit year as day numbers."""

    number: int

    @property
    def first(self) -> int:
        """Day number (since 1970) of 1 January."""
        return (date(self.number, 1, 1) - date(1970, 1, 1)).days

    @property
    def days(self) -> int:
        """Days of the year."""
        return 366 if isleap(self.number) else 365

    def ymd(self) -> Ints:
        """Return yyyymmdd of each day of the year: differences of these, by 10,000, are ages."""
        return ymd(pl.date_range(date(self.number, 1, 1), date(self.number, 12, 31), eager=True))

    def months_before(self) -> Floats:
        """Return, for each day and the day after the last, the months of the year that are over before it."""
        parts = []
        for month in range(12):
            days = monthrange(self.number, month + 1)[1]
            parts.append(month + np.arange(days) / days)
        return np.concatenate([*parts, [12.0]])


def ymd(days: pl.Series) -> Ints:
    """Return yyyymmdd of dates."""
    numbers = days.dt.year() * 10_000 + days.dt.month().cast(pl.Int32) * 100 + days.dt.day()
    return numbers.cast(pl.Int64).to_numpy()


@dataclass(frozen=True)
class Enrolment:
    """Spans with a day in the year, in the order of their enrollees, and the enrollees.

    spans: the input columns, clipped days, `unit` (enrollee number); members: distinct ids in the order of
    their numbers. Arrays by enrollee: member (number), model (index in MODELS), age_last, birth (yyyymmdd),
    male (0/1), days, duration. `first_unit` by member, one more than members: its enrollees are
    first_unit[m] … first_unit[m + 1] - 1.
    """

    year: Year
    spans: pl.DataFrame
    members: pl.Series
    unit_of_span: Ints
    start: Ints
    end: Ints
    member: Ints
    first_unit: Ints
    model: npt.NDArray[np.int8]
    age_last: Ints
    birth: Ints
    male: npt.NDArray[np.uint8]
    days: Ints
    duration: Ints
    metal: Ints
    months: Floats

    @property
    def units(self) -> int:
        """Number of enrollees."""
        return len(self.member)


def enrolment(spans: pl.DataFrame, tables: TableSet) -> Enrolment:
    """Return the enrollees of the benefit year.

    Spans without a day in the year are left out. A member whose sex or birth differs between spans, another
    sex than M or F, an unknown metal, or a birth after the last day enrolled is an error: ingest quarantines
    such rows.
    """
    year = Year(tables.benefit_year)
    inside = _in_year(spans, year)
    ordered, members = _ordered(inside)
    numbers = ordered["__member"].to_numpy().astype(np.int64)
    unit_starts = _changes(numbers, ordered["__issuer"].to_numpy())
    unit = np.cumsum(unit_starts) - 1
    heads = np.flatnonzero(unit_starts)
    start, end = (ordered[name].to_numpy().astype(np.int64) for name in ("__start", "__end"))
    last, days = _pooled(unit, start, end, heads)
    births = _births(ordered, numbers)
    age_last = (year.ymd()[last] - births[heads]) // 10_000 if len(heads) else np.empty(0, np.int64)
    if (age_last < 0).any():
        raise RiskflowError(
            f"{int((age_last < 0).sum())} members are born after their last day enrolled in {year.number}",
            "quarantine such spans before scoring",
        )
    first_unit = np.searchsorted(numbers[heads], np.arange(len(members) + 1))
    return Enrolment(
        year=year,
        spans=ordered.drop("__member", "__issuer", "__start", "__end"),
        members=members,
        unit_of_span=unit,
        start=start,
        end=end,
        member=numbers[heads].astype(np.int32),
        first_unit=first_unit,
        model=_models(age_last, tables),
        age_last=age_last.astype(np.int32),
        birth=births[heads].astype(np.int32),
        male=_males(ordered)[heads],
        days=days,
        duration=_durations(days, tables),
        metal=_metals(ordered),
        months=year.months_before()[end + 1] - year.months_before()[start],
    )


def _in_year(spans: pl.DataFrame, year: Year) -> pl.DataFrame:
    missing = [name for name in REQUIRED if name not in spans.columns]
    if missing:
        raise RiskflowError(f"spans lack columns: {', '.join(missing)}")
    start = (pl.col("enrolment_start").cast(pl.Int32) - year.first).clip(lower_bound=0)
    end = (pl.col("enrolment_end").cast(pl.Int32) - year.first).clip(upper_bound=year.days - 1)
    return spans.with_columns(__start=start, __end=end).filter(pl.col("__start") <= pl.col("__end"))


def _ordered(spans: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Return the spans by member, issuer and market, first day and span id, and the distinct members in order."""
    keys: list[str] = [name for name in ("issuer", "market") if name in spans.columns]
    if not spans["member_id"].is_sorted():
        spans = spans.sort("member_id")
    changed = pl.col("member_id").ne_missing(pl.col("member_id").shift(1)).fill_null(True)
    spans = spans.with_columns(__member=changed.cum_sum().cast(pl.Int64) - 1)
    spans = spans.with_columns(__issuer=_pool_number(spans, keys))
    several = spans["__member"].n_unique() < spans.height
    if several:
        spans = spans.sort("__member", "__issuer", "__start", "__end", "span_id")
    members = spans.filter(changed)["member_id"]
    return spans, members


def _pool_number(spans: pl.DataFrame, keys: list[str]) -> pl.Series | pl.Expr:
    """Return a small number for each issuer and market, in the order of their names."""
    if not keys:
        return pl.lit(0, pl.Int64)
    pools = spans.select(keys).unique().sort(keys).with_row_index("__pool")
    found = spans.select(keys).join(pools, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return found["__pool"].cast(pl.Int64)


def _changes(*columns: Ints) -> npt.NDArray[np.bool_]:
    """Return where any of the columns differs from the row before; the first row does."""
    changed = np.zeros(len(columns[0]), np.bool_)
    changed[:1] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return changed


def _pooled(unit: Ints, start: Ints, end: Ints, heads: Ints) -> tuple[Ints, Ints]:
    """Return each enrollee's last day and number of distinct days; overlapping spans count once."""
    if not len(unit):
        return start, end
    running = np.maximum.accumulate(unit * _DAY_STRIDE + end) - unit * _DAY_STRIDE
    before = np.roll(running, 1)
    before[heads] = -1
    fresh = np.maximum(0, end - np.maximum(start, before + 1) + 1)
    tails = np.append(heads[1:], len(unit)) - 1
    return running[tails], np.add.reduceat(fresh, heads)


def _births(spans: pl.DataFrame, numbers: Ints) -> Ints:
    births = ymd(spans["date_of_birth"])
    same = numbers[1:] == numbers[:-1]
    male = _males(spans)
    differing = same & ((births[1:] != births[:-1]) | (male[1:] != male[:-1]))
    if differing.any():
        raise RiskflowError(
            f"sex or date of birth differs between the spans of a member, {int(differing.sum())} times",
            "quarantine such spans before scoring",
        )
    return births


def _males(spans: pl.DataFrame) -> npt.NDArray[np.uint8]:
    known = pl.col("sex").is_in(["M", "F"]).fill_null(False) & pl.col("date_of_birth").is_not_null()
    if not spans.select(known.all()).item():
        raise RiskflowError("sex is not M or F, or date_of_birth is missing", "quarantine such spans first")
    return (spans["sex"] == "M").to_numpy().astype(np.uint8)


def _models(age_last: Ints, tables: TableSet) -> npt.NDArray[np.int8]:
    model = np.full(len(age_last), -1, np.int8)
    for name, low, high in tables.ages.select("model", "age_low", "age_high").iter_rows():
        model[(age_last >= low) & (age_last <= high)] = MODELS.index(name)
    if (model < 0).any():
        raise RiskflowError("the CMS tables have no model for some ages", "look at the table `ages`")
    return model


def _durations(days: Ints, tables: TableSet) -> Ints:
    months = np.zeros(367, np.int64)
    for month, low, high in tables.durations.select("months", "days_low", "days_high").iter_rows():
        months[low : high + 1] = month
    return months[days]


def _metals(spans: pl.DataFrame) -> Ints:
    numbers = spans["metal"].cast(pl.Enum(METALS), strict=False).to_physical().cast(pl.Int64)
    if numbers.null_count():
        raise RiskflowError(f"metal is not one of {', '.join(METALS)} in {numbers.null_count()} spans")
    return numbers.to_numpy()
