"""Diagnoses and drugs → 0/1 marks of HCCs, RXCs and ACFs per enrollee, and the rows that do not count.

Source: DIY instructions and Table 3: service date, age, validity of the code, MCE edits, CC splits.
A row of a member in several issuers or markets counts in the one that has the service date; a drug without a
date counts in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from riskflow.contracts.members_scores import KIND, REASON, REASONS
from riskflow.members.engine.enrolment import Enrolment, Ints, Year
from riskflow.members.engine.marks import Marks
from riskflow.members.engine.program import shared_variables
from riskflow.members.parallel import each
from riskflow.members.tables.load import TableSet
from riskflow.members.texts import member_numbers, numbers

CHUNK = 1 << 19
ACCEPTED = 0
REASON_IDS = {name: number for number, name in enumerate(REASONS, start=1)}
_NO_DATE = -1_000_000
_OPEN_HIGH = 255
Reasons = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Splits:
    """Rows of a code → variable table, grouped by code number: those of code c are start[c] … start[c+1]-1."""

    start: Ints
    row: Ints
    age_low: Ints
    age_high: Ints
    sex: Ints  # 0 female, 1 male, -1 either


def mark_diagnoses(
    enrolment: Enrolment, diagnoses: pl.DataFrame, tables: TableSet, marks: Marks
) -> pl.DataFrame:
    """Set the marks of the diagnoses that count; return the others (see `_rejected`).

    `diagnoses`: member_id, code, service_date; optional diagnosis_id (else the row number), and
    `eligible` (false: the claim does not count).
    """
    code = numbers(diagnoses["code"], tables.codes["code"])
    date = _day(diagnoses["service_date"], enrolment)
    member = member_numbers(diagnoses["member_id"], enrolment.members)
    splits, edits = _diagnosis_codes(tables)
    reasons = np.zeros(len(code), np.uint8)
    if "eligible" in diagnoses.columns:
        eligible = diagnoses["eligible"].fill_null(True).to_numpy()
        reasons[~eligible] = REASON_IDS["claim_not_eligible"]

    def judge(low: int) -> None:
        part = slice(low, low + CHUNK)
        _judge(enrolment, edits, splits, marks, code[part], date[part], member[part], reasons[part])

    each(judge, range(0, len(code), CHUNK))  # they only ever write 1 into the marks
    return _rejected(diagnoses, "diagnosis", pl.col("code"), reasons)


def mark_drugs(enrolment: Enrolment, drugs: pl.DataFrame, tables: TableSet, marks: Marks) -> pl.DataFrame:
    """Set the marks of the NDC and HCPCS codes that count; return the others (see `_rejected`).

    `drugs`: member_id, ndc, hcpcs (either may be null); optional service_date and drug_id.
    """
    member = member_numbers(drugs["member_id"], enrolment.members)
    dated = "service_date" in drugs.columns
    date = _day(drugs["service_date"], enrolment) if dated else np.full(drugs.height, _NO_DATE, np.int32)
    undated = drugs["service_date"].is_null().to_numpy() if dated else np.ones(drugs.height, np.bool_)
    inside = undated | ((date >= 0) & (date < enrolment.year.days))
    reasons = np.full(drugs.height, REASON_IDS["code_without_rxc"], np.uint8)
    for kind in ("ndc", "hcpcs"):
        names, splits = _drug_codes(tables, kind)
        code = numbers(drugs[kind], names)
        found = np.flatnonzero((code >= 0) & (member >= 0) & inside)
        place, unit = _units(enrolment, member[found], date[found], undated[found])
        _set(splits, marks, code[found[place]], unit, None, None)
        reasons[found[reasons[found] != ACCEPTED]] = REASON_IDS["no_issuer_on_date"]
        reasons[found[place]] = ACCEPTED
    reasons[~inside] = REASON_IDS["outside_benefit_year"]
    reasons[member < 0] = REASON_IDS["member_not_enrolled"]
    return _rejected(drugs, "drug", pl.coalesce("ndc", "hcpcs"), reasons)


@dataclass(frozen=True)
class _Edits:
    """What a code number needs: first and last valid day of the year, MCE ages and sex (-1: either)."""

    first: Ints
    last: Ints
    age_low: Ints
    age_high: Ints
    sex: Ints
    ymd: Ints

    @classmethod
    def of(cls, tables: TableSet) -> _Edits:
        codes, year = tables.codes, Year(tables.benefit_year)
        return cls(
            first=(codes["valid_from"].cast(pl.Int32) - year.first).fill_null(1).to_numpy(),
            last=(codes["valid_to"].cast(pl.Int32) - year.first).fill_null(0).to_numpy(),
            age_low=codes["mce_age_low"].cast(pl.Int32).to_numpy(),
            age_high=codes["mce_age_high"].cast(pl.Int32).to_numpy(),
            sex=_sexes(codes["mce_sex"]),
            ymd=year.ymd().astype(np.int32),
        )


def _judge(
    enrolment: Enrolment,
    edits: _Edits,
    splits: Splits,
    marks: Marks,
    code: Ints,
    date: Ints,
    member: Ints,
    reasons: Reasons,
) -> None:
    """Write the reason of each diagnosis that does not count into `reasons`, and mark the others."""
    _refuse(reasons, member < 0, "member_not_enrolled")
    _refuse(reasons, code < 0, "code_without_hcc")
    _refuse(reasons, (date < 0) | (date >= enrolment.year.days), "outside_benefit_year")
    asked = np.flatnonzero(reasons == ACCEPTED)
    place, unit = _units(enrolment, member[asked], date[asked], np.zeros(len(asked), np.bool_))
    rows = asked[place]
    verdict = _verdict(enrolment, edits, code[rows], date[rows], unit)
    passed = np.flatnonzero(verdict == ACCEPTED)
    hit = _set(
        splits,
        marks,
        code[rows[passed]],
        unit[passed],
        enrolment.age_last[unit[passed]],
        enrolment.male[unit[passed]],
    )
    verdict[passed[~hit]] = REASON_IDS["age_or_sex_split"]
    reasons[asked] = REASON_IDS["no_issuer_on_date"]
    reasons[rows] = verdict


def _verdict(enrolment: Enrolment, edits: _Edits, code: Ints, date: Ints, unit: Ints) -> Reasons:
    """Return the reason of each diagnosis of an enrollee, before the splits of its CCs."""
    verdict = np.zeros(len(code), np.uint8)
    age = (edits.ymd[date] - enrolment.birth[unit]) // 10_000
    last = enrolment.age_last[unit]
    _refuse(verdict, age < 0, "before_birth")
    _refuse(verdict, age > last, "age_after_last_age")
    _refuse(verdict, last - age > 1, "age_far_from_last_age")
    _refuse(verdict, (date < edits.first[code]) | (date > edits.last[code]), "code_not_valid_on_date")
    _refuse(verdict, (age < edits.age_low[code]) | (age > edits.age_high[code]), "age_edit")
    sex = edits.sex[code]
    _refuse(verdict, (sex >= 0) & (sex != enrolment.male[unit]), "sex_edit")
    return verdict


def _refuse(reasons: Reasons, where: npt.NDArray[np.bool_], name: str) -> None:
    """Write a reason where none is yet: the first reason is the one that is told."""
    np.copyto(reasons, REASON_IDS[name], where=where & (reasons == ACCEPTED))


def _set(
    splits: Splits, marks: Marks, code: Ints, unit: Ints, age: Ints | None, male: npt.NDArray[np.uint8] | None
) -> npt.NDArray[np.bool_]:
    """Mark what each code stands for at the age and sex; return which codes stood for something."""
    hit = np.zeros(len(code), np.bool_)
    first, after = splits.start[code], splits.start[code + 1]
    for number in range(int((after - first).max(initial=0))):
        has = np.flatnonzero(first + number < after)
        row = first[has] + number
        if age is not None and male is not None:
            fits = (age[has] >= splits.age_low[row]) & (age[has] <= splits.age_high[row])
            fits &= (splits.sex[row] < 0) | (splits.sex[row] == male[has])
            has, row = has[fits], row[fits]
        marks.set(splits.row[row], unit[has])
        hit[has] = True
    return hit


def _units(
    enrolment: Enrolment, member: Ints, date: Ints, undated: npt.NDArray[np.bool_]
) -> tuple[Ints, Ints]:
    """Return (place in `member`, enrollee) pairs: all enrollees of the member that have the day enrolled."""
    first = enrolment.first_unit[member]
    several = enrolment.first_unit[member + 1] - first > 1
    alone = np.flatnonzero(~several)
    if len(alone) == len(member):
        return alone, first
    asked = np.flatnonzero(several)
    rows = pl.DataFrame({"place": asked, "member": member[asked], "date": date[asked], "any": undated[asked]})
    spans = pl.DataFrame(
        {
            "member": enrolment.member[enrolment.unit_of_span],
            "unit": enrolment.unit_of_span,
            "start": enrolment.start,
            "end": enrolment.end,
        }
    ).filter(pl.col("unit").n_unique().over("member") > 1)
    found = (
        rows.join(spans, on="member")
        .filter(pl.col("any") | pl.col("date").is_between(pl.col("start"), pl.col("end")))
        .select("place", "unit")
        .unique()
        .sort("place", "unit")
    )
    place = np.concatenate([alone, found["place"].to_numpy()])
    unit = np.concatenate([first[alone], found["unit"].to_numpy()])
    return place, unit


@lru_cache(maxsize=16)
def _diagnosis_codes(tables: TableSet) -> tuple[Splits, _Edits]:
    """Return what the codes of `tables.codes` stand for and need, by their places there."""
    return _splits(tables.categories, tables.codes["code"], tables), _Edits.of(tables)


@lru_cache(maxsize=32)
def _drug_codes(tables: TableSet, kind: str) -> tuple[pl.Series, Splits]:
    """Return the NDC or HCPCS codes that stand for something, and for what."""
    known = tables.drugs.filter(kind=kind)
    names = known["code"].unique().sort()
    return names, _splits(known, names, tables)


def _splits(table: pl.DataFrame, names: pl.Series, tables: TableSet) -> Splits:
    rows = {name: row for row, name in enumerate(shared_variables(tables))}
    numbered = table.with_columns(__code=pl.Series(numbers(table["code"], names))).sort(
        "__code", maintain_order=True
    )
    whole = "age_low" in table.columns
    count = numbered.height
    return Splits(
        start=np.searchsorted(numbered["__code"].to_numpy(), np.arange(len(names) + 1)),
        row=np.array([rows[name] for name in numbered["variable"]], np.int64),
        age_low=numbered["age_low"].cast(pl.Int32).to_numpy() if whole else np.zeros(count, np.int64),
        age_high=numbered["age_high"].cast(pl.Int32).to_numpy() if whole else np.full(count, _OPEN_HIGH),
        sex=_sexes(numbered["sex"]) if whole else np.full(count, -1),
    )


def _day(dates: pl.Series, enrolment: Enrolment) -> Ints:
    days = dates.cast(pl.Int32) - enrolment.year.first
    return days.fill_null(_NO_DATE).to_numpy()


def _sexes(sex: pl.Series) -> Ints:
    return sex.replace_strict({"F": 0, "M": 1}, return_dtype=pl.Int8).fill_null(-1).to_numpy()


def _rejected(frame: pl.DataFrame, kind: str, code: pl.Expr, reasons: Reasons) -> pl.DataFrame:
    """Return the rows that do not count, in their order (REJECTED contract)."""
    number = f"{kind}_id"
    row_id = pl.col(number) if number in frame.columns else pl.int_range(pl.len(), dtype=pl.Int64)
    refused = reasons != ACCEPTED
    names = pl.Series("reason", list(REASONS), dtype=REASON)
    return (
        frame.select("member_id", row_id.alias("row_id"), code.alias("code"))
        .filter(pl.Series(refused))
        .select(
            pl.lit(kind, KIND).alias("kind"),
            "member_id",
            pl.col("row_id").cast(pl.Int64),
            "code",
            names.gather(reasons[refused] - np.uint8(1)),
        )
    )
