"""Generated demo members: households, plans, spans, diagnoses and drugs, with the dirt of real files.

The same seed gives the same rows at any thread count. Who a member is and what chronically ails them comes
from the seed alone; enrolment, claims and fills from seed and year. So two years share most members, some
leave and some join, as a real book of business does.
Codes are real ICD-10-CM, NDC and HCPCS Level II codes from the public CMS tables (demo_codes.csv).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from riskflow import artifacts
from riskflow.config.members import MembersDemoStage
from riskflow.contracts.members_sources import RAW_DIAGNOSES, RAW_DRUGS, RAW_SPANS
from riskflow.members import demo_clinical, demo_dirt
from riskflow.members.demo_arrays import IntArray, days, labelled, member_ids, picked
from riskflow.members.rating import age_factor
from riskflow.receipts import Receipt

CHUNK = 250_000
_TURNOVER = 0.08
_FIRST_BIRTH_COHORT = 2026
_FAMILY_SIZES = ((1, 0.45), (2, 0.23), (3, 0.12), (4, 0.11), (5, 0.06), (6, 0.02), (7, 0.01))
_STATES = ("TX", "FL", "WI")
_ISSUERS_PER_STATE = 3
_AREAS = 5
_METALS = ("bronze", "silver", "gold", "platinum", "catastrophic")
_METAL_SHARES = (0.30, 0.48, 0.14, 0.03, 0.05)
_BASE_PREMIUM = (310.0, 395.0, 450.0, 560.0, 220.0)


@dataclass(frozen=True)
class DemoSpec:
    """What to generate: about how many members in the year, the seed, the year, and the share of each dirt."""

    members: int
    seed: int
    year: int
    dirt: float = 0.0


@dataclass(frozen=True)
class DemoTables:
    """The three raw tables of the members track."""

    spans: pl.DataFrame
    diagnoses: pl.DataFrame
    drugs: pl.DataFrame


def generate(spec: DemoSpec) -> DemoTables:
    """Return the raw tables of a demo population.

    spans: span_id, member_id, family_id, sex, date_of_birth, plan_id, issuer, market, state, rating_area,
    metal, csr_indicator, enrolment_start, enrolment_end, premium (dollars a month);
    diagnoses: member_id, code, service_date; drugs: member_id, ndc, hcpcs, service_date.
    """
    chunks = list(generate_chunks(spec))
    return DemoTables(
        pl.concat([chunk.spans for chunk in chunks]),
        pl.concat([chunk.diagnoses for chunk in chunks]),
        pl.concat([chunk.drugs for chunk in chunks]),
    )


def generate_chunks(spec: DemoSpec) -> Iterator[DemoTables]:
    """Yield the demo population in pieces of at most CHUNK members, for sizes beyond memory."""
    universe = round(spec.members / (1 - _TURNOVER))
    for start in range(0, universe, CHUNK):
        yield _chunk(spec, start, min(CHUNK, universe - start))


def _chunk(spec: DemoSpec, start: int, size: int) -> DemoTables:
    lasting = np.random.default_rng([spec.seed, start, 0])
    yearly = np.random.default_rng([spec.seed, start, spec.year])
    people = _people(lasting, start, size)
    ailments = demo_clinical.conditions(lasting, people)
    spans = _spans(yearly, _present(people, spec.year), spec.year)
    enrolled = spans.unique("member", keep="first", maintain_order=True).sort("member")
    diagnoses = demo_clinical.diagnoses(yearly, enrolled, ailments, spec.year)
    drugs = demo_clinical.drugs(yearly, enrolled, ailments, spec.year)
    return DemoTables(
        demo_dirt.spans(yearly, _raw_spans(spans), spec.year, spec.dirt),
        demo_dirt.diagnoses(yearly, diagnoses, spec.year, spec.dirt),
        demo_dirt.drugs(yearly, drugs, spec.dirt),
    )


def _people(rng: np.random.Generator, start: int, size: int) -> pl.DataFrame:
    """Return one row per member of the universe: who they are and in which family."""
    sizes = picked(rng, size, [share for _, share in _FAMILY_SIZES])
    counts = np.array([members for members, _ in _FAMILY_SIZES])[sizes]
    family = np.repeat(np.arange(size), counts)[:size]
    place = (np.arange(np.sum(counts)) - np.repeat(np.cumsum(counts) - counts, counts))[:size]
    child = (place >= 2) | ((place == 1) & (rng.random(size) < 0.25))
    adult_age = 21 + np.floor(44 * rng.beta(1.3, 1.1, size)).astype(np.int64)
    age = np.where(child, rng.integers(0, 26, size), adult_age)
    birth = days(_FIRST_BIRTH_COHORT, 1) - 365 * age + rng.integers(0, 365, size)
    return pl.DataFrame(
        {
            "member": np.arange(start, start + size),
            "family": family + start,
            "male": rng.random(size) < 0.48,
            "birth": birth,
            "phase": rng.random(size)[family],
            "state": rng.integers(0, len(_STATES), size)[family],
            "area": rng.integers(1, _AREAS + 1, size)[family],
            "issuer": rng.integers(0, _ISSUERS_PER_STATE, size)[family],
            "small_group": (rng.random(size) < 0.2)[family],
            "metal": picked(rng, size, _METAL_SHARES)[family],
            "income": rng.random(size)[family],
        }
    )


def _present(people: pl.DataFrame, year: int) -> pl.DataFrame:
    """Return who is enrolled in the year: a window over the families that moves by the yearly turnover."""
    window = (pl.col("phase") + _TURNOVER * (year - 2000)) % 1.0
    return people.filter((window < 1 - _TURNOVER) & (pl.col("birth") < days(year, 12, 1)))


def _spans(rng: np.random.Generator, people: pl.DataFrame, year: int) -> pl.DataFrame:
    """Return one or two rows per member; the second after a change of plan within the issuer."""
    size = people.height
    first, last = days(year, 1), days(year, 12, 31)
    month_starts = np.array([days(year, month) for month in range(1, 13)])
    late = np.where(rng.random(size) < 0.18, rng.integers(1, 12, size), 0)
    begin = np.maximum(month_starts[late], people["birth"].to_numpy())
    early = np.where(rng.random(size) < 0.15, rng.integers(1, 12, size), 12)
    close = np.append(month_starts, last + 1)[early] - 1
    close = np.where(close < begin, last, close)
    change = month_starts[rng.integers(1, 12, size)]
    moves = (rng.random(size) < 0.06) & (change > begin) & (change <= close)
    age = (first - people["birth"].to_numpy()) // 365
    base = people.with_columns(
        pl.Series("metal", _allowed_metal(people["metal"].to_numpy(), age)),
        pl.Series("begin", begin),
        pl.Series("close", np.where(moves, change - 1, close)),
        pl.Series("age", age),
        pl.lit(1).alias("number"),
    )
    new_metal = _allowed_metal((people["metal"].to_numpy() + rng.integers(1, 4, size)) % 4, age)
    moved = base.with_columns(
        pl.Series("metal", new_metal),
        pl.Series("begin", change),
        pl.Series("close", close),
        pl.lit(2).alias("number"),
    ).filter(pl.Series(moves))
    return _with_csr(pl.concat([base, moved]).sort("member", "number"), year)


def _allowed_metal(metal: IntArray, age: IntArray) -> IntArray:
    """Catastrophic plans are for people under 30 (ACA §1302(e)); others get bronze instead."""
    return np.where((metal == _METALS.index("catastrophic")) & (age >= 30), 0, metal)


def _with_csr(spans: pl.DataFrame, year: int) -> pl.DataFrame:
    """Add the EDGE cost-sharing indicator: silver 94/87 % variants by income, else none; codes differ by year."""
    none, silver = (0, 1) if year <= 2022 else (1, 3)
    subsidised = (
        (pl.col("metal") == _METALS.index("silver")) & (pl.col("income") < 0.55) & ~pl.col("small_group")
    )
    return spans.with_columns(
        pl.when(subsidised).then(silver).otherwise(none).cast(pl.Int64).alias("csr_indicator")
    )


def _raw_spans(spans: pl.DataFrame) -> pl.DataFrame:
    """Return the spans in the columns of a raw enrolment file."""
    issuer = (pl.col("state") * _ISSUERS_PER_STATE + pl.col("issuer") + 10_000).cast(pl.String)
    state = labelled(pl.col("state"), _STATES)
    plan = pl.concat_str(
        issuer, state, (1000 + pl.col("metal") * 10 + pl.col("small_group")).cast(pl.String), pl.lit("001")
    )
    price = pl.col("metal").replace_strict(dict(enumerate(_BASE_PREMIUM)), return_dtype=pl.Float64)
    area_factor = 0.92 + 0.04 * pl.col("area")
    return spans.select(
        pl.concat_str(member_ids(pl.col("member")), pl.lit("-"), pl.col("number").cast(pl.String)).alias(
            "span_id"
        ),
        member_ids(pl.col("member")).alias("member_id"),
        pl.concat_str(pl.lit("F"), pl.col("family").cast(pl.String).str.zfill(9)).alias("family_id"),
        pl.when(pl.col("male")).then(pl.lit("M")).otherwise(pl.lit("F")).alias("sex"),
        pl.col("birth").cast(pl.Int32).cast(pl.Date).alias("date_of_birth"),
        plan.alias("plan_id"),
        issuer.alias("issuer"),
        pl.when(pl.col("small_group"))
        .then(pl.lit("small_group"))
        .otherwise(pl.lit("individual"))
        .alias("market"),
        state.alias("state"),
        pl.col("area").cast(pl.Int64).alias("rating_area"),
        labelled(pl.col("metal"), _METALS).alias("metal"),
        pl.col("csr_indicator"),
        pl.col("begin").cast(pl.Int32).cast(pl.Date).alias("enrolment_start"),
        pl.col("close").cast(pl.Int32).cast(pl.Date).alias("enrolment_end"),
        (price * (0.95 + 0.05 * pl.col("issuer")) * area_factor * age_factor(pl.col("age")))
        .round(2)
        .alias("premium"),
    )


def run(*, year: int, spans: Path, diagnoses: Path, drugs: Path, config: MembersDemoStage) -> Receipt:
    """Write the demo members of one benefit year as raw tables."""
    spec = DemoSpec(config.demo.members, config.demo.seed, year, config.demo.dirt)
    tables = generate(spec)
    artifacts.write(tables.spans, spans, RAW_SPANS)
    artifacts.write(tables.diagnoses, diagnoses, RAW_DIAGNOSES)
    artifacts.write(tables.drugs, drugs, RAW_DRUGS)
    counts = {name: frame.height for name, frame in vars(tables).items()}
    return Receipt(counts=counts | {"members": tables.spans["member_id"].n_unique()})
