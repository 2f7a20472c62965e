"""The embedded demo: raw provider tables of any size, deterministic by seed, with planted risk and dirt.

Four raw tables as a payer would get them (text columns, renamed columns between releases, cp1252, repeated
supplements) and two tables about them: `truth` (what was planted, per NPI) and `dirt` (how many bad rows of
which kind were put into which table), so that tests can check what the pipeline found.
Payments are made in blocks of providers, so memory stays flat at any size.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from riskflow import resources
from riskflow.providers import npi as npi_rules

BLOCK = 65_536
PROGRAMS = ("Medicaid", "Medicare", "MedicarePartD")
WORDS: dict[str, tuple[str, ...]] = {
    kind: tuple(words.split("|"))
    for kind, words in json.loads(resources.text(__package__, "demo_words.json")).items()
}
STATES = WORDS["states"]
TAXONOMIES = WORDS["taxonomies"]
FIRST_ORGANIZATION_TAXONOMY = 18  # TAXONOMIES from here on are facilities
PLANTS = ("none", "billing_outlier", "growth_spurt", "concentrated")
OUTLIER, SPURT, CONCENTRATED = 1, 2, 3
_PLANT_SHARES = (0.97, 0.01, 0.01, 0.01)
_NPI_SPACE = 200_000_000  # NPIs begin with 1 or 2
_NPI_STEP = 387_420_489  # coprime to the space: a walk through it that never repeats
_EPOCH = np.datetime64("1970-01-01", "D")
RANDOM_TABLES = {"population": 0, "payments": 1, "registry": 2, "exclusions": 3, "ownership": 4}


@dataclass(frozen=True)
class DemoSpec:
    """Billing providers, calendar years, share of dirty rows per kind, non-billing registry rows per biller."""

    providers: int = 4_000
    first_year: int = 2019
    last_year: int = 2024
    seed: int = 20240601
    dirt: float = 0.004
    registry_extra: float = 0.1

    @property
    def years(self) -> tuple[int, ...]:
        """Payment years."""
        return tuple(range(self.first_year, self.last_year + 1))

    def dirty_rows(self, rows: int) -> int:
        """How many of `rows` rows to spoil in one way."""
        return min(rows, max(1, round(rows * self.dirt))) if self.dirt else 0


@dataclass(frozen=True)
class Population:
    """One entry per billing provider; parallel arrays of small types. Exclusion days count from 1970-01-01."""

    npi: np.ndarray
    taxonomy: np.ndarray
    state: np.ndarray
    plant: np.ndarray
    log_level: np.ndarray
    excluded_on: np.ndarray
    reinstated_on: np.ndarray
    waived: np.ndarray
    bills_on: np.ndarray

    @property
    def size(self) -> int:
        """Number of billing providers."""
        return len(self.npi)

    @property
    def is_organization(self) -> np.ndarray:
        """Whether each provider is a facility."""
        return np.asarray(self.taxonomy >= FIRST_ORGANIZATION_TAXONOMY)


@dataclass
class Dirt:
    """How many bad rows of each kind each raw table holds."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, table: str, kind: str, rows: int) -> None:
        """Count `rows` more bad rows of a kind."""
        self.counts[table, kind] = self.counts.get((table, kind), 0) + rows

    def frame(self) -> pl.DataFrame:
        """Return one row per table and kind: table, kind, rows."""
        rows = [(table, kind, count) for (table, kind), count in sorted(self.counts.items()) if count]
        return pl.DataFrame(
            rows, schema={"table": pl.String, "kind": pl.String, "rows": pl.Int64}, orient="row"
        )


def generator(seed: int, table: str, block: int = 0) -> np.random.Generator:
    """Return the random generator of one block of one table: blocks can be made in any order."""
    return np.random.Generator(np.random.PCG64([seed, RANDOM_TABLES[table], block]))


def npi_numbers(first: int, count: int, seed: int) -> np.ndarray:
    """Return `count` different valid NPIs (Int64); ranges that do not overlap share none."""
    walk = (np.arange(first, first + count, dtype=np.int64) * _NPI_STEP + seed * 7_919) % _NPI_SPACE
    prefix = pl.DataFrame({"prefix": walk + 100_000_000})
    return (
        prefix.select(pl.col("prefix") * 10 + npi_rules.check_digit(pl.col("prefix"))).to_series().to_numpy()
    )


def population(spec: DemoSpec) -> Population:
    """Return the billing providers with their planted traits and exclusions."""
    rng, size = generator(spec.seed, "population"), spec.providers
    weight = 1.0 / np.arange(1, len(STATES) + 1) ** 0.7
    state = rng.choice(len(STATES), size, p=weight / weight.sum()).astype(np.uint8)
    weight = 1.0 / np.arange(1, len(TAXONOMIES) + 1) ** 0.5
    taxonomy = rng.choice(len(TAXONOMIES), size, p=weight / weight.sum()).astype(np.uint8)
    plant = rng.choice(len(PLANTS), size, p=_PLANT_SHARES).astype(np.uint8)
    excluded = rng.random(size) < np.where(plant > 0, 0.25, 0.003)
    start = (np.datetime64(f"{spec.years[0]}-06-01", "D") - _EPOCH).astype(int)
    end = (np.datetime64(f"{spec.years[-1]}-12-31", "D") - _EPOCH).astype(int)
    excluded_on = np.where(excluded, rng.integers(start, end, size), 0).astype(np.int32)
    hit = np.nonzero(excluded)[0]
    reinstated, waived = np.zeros(size, bool), np.zeros(size, bool)
    reinstated[hit[1::7]], waived[hit[3::14]] = True, True
    return Population(
        npi=npi_numbers(0, size, spec.seed),
        taxonomy=taxonomy,
        state=state,
        plant=plant,
        log_level=(10.5 + 0.4 * (taxonomy % 7) + rng.normal(0, 1.0, size)).astype(np.float32),
        excluded_on=excluded_on,
        reinstated_on=np.where(reinstated, excluded_on + rng.integers(200, 900, size), 0).astype(np.int32),
        waived=waived,
        bills_on=rng.random(size) < 0.3,
    )


def payments(people: Population, spec: DemoSpec, dirt: Dirt) -> Iterator[pl.DataFrame]:
    """Yield blocks of raw payments (all text): npi, year, program, payments, claims, beneficiaries."""
    for block, first in enumerate(range(0, people.size, BLOCK)):
        rng = generator(spec.seed, "payments", block)
        chosen = slice(first, min(first + BLOCK, people.size))
        clean = _payment_block(people, chosen, spec, rng)
        yield _with_payment_dirt(clean, spec, rng, dirt)


def _payment_block(
    people: Population, chosen: slice, spec: DemoSpec, rng: np.random.Generator
) -> pl.DataFrame:
    size, years, programs = chosen.stop - chosen.start, np.array(spec.years), len(PROGRAMS)
    plant = people.plant[chosen][:, None]
    pays = _pays_in(people, chosen, years, rng)
    takes_part = np.column_stack([np.ones(size, bool), rng.random(size) < 0.55, rng.random(size) < 0.25])
    takes_part |= plant == CONCENTRATED
    drift = 0.03 * np.arange(len(years)) + rng.normal(0, 0.18, (size, len(years)))
    drift += np.where(plant == SPURT, np.clip(np.arange(len(years)) - len(years) + 4, 0, None) * 1.1, 0)
    share = rng.dirichlet((3.0, 2.0, 1.5), size) * takes_part
    share = np.where(plant == CONCENTRATED, np.array([[0.97, 0.02, 0.01]]), share)
    total = np.exp(people.log_level[chosen][:, None] + drift + np.where(plant == OUTLIER, 1.2, 0.0))
    amount = np.round(total[:, :, None] * share[:, None, :], 2)
    price = np.exp(4.2 + 0.25 * (people.taxonomy[chosen] % 5) + rng.normal(0, 0.3, size))
    price = price * np.where(plant[:, 0] == OUTLIER, rng.uniform(4, 10, size), 1.0)
    claims = np.maximum(np.floor(amount / price[:, None, None]), 1).astype(np.int64)
    visits = rng.uniform(1.5, 5, size) * np.where(plant[:, 0] == OUTLIER, 3.0, 1.0)
    patients = np.maximum(np.floor(claims / visits[:, None, None]), 1).astype(np.int64)
    unknown = rng.random((size, len(years), programs)) < 0.6
    who, when, what = np.nonzero(pays[:, :, None] & takes_part[:, None, :])
    return pl.DataFrame(
        {
            "npi": people.npi[chosen][who],
            "year": years[when],
            "program": pl.Series(PROGRAMS).gather(what.astype(np.uint32)),
            "payments": amount[who, when, what],
            "claims": claims[who, when, what],
            "beneficiaries": pl.Series(patients[who, when, what]).set(
                pl.Series(unknown[who, when, what]), None
            ),
        }
    ).cast({"npi": pl.String, "year": pl.String, "claims": pl.String, "beneficiaries": pl.String})


def _pays_in(people: Population, chosen: slice, years: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return providers × years: from a start year to an end year, with a few gap years, and seldom after exclusion."""
    size = chosen.stop - chosen.start
    begin = np.where(rng.random(size) < 0.4, 0, rng.integers(0, len(years), size))
    finish = np.where(rng.random(size) < 0.5, len(years) - 1, rng.integers(0, len(years), size))
    begin, finish = np.minimum(begin, finish), np.maximum(begin, finish)
    place = np.arange(len(years))
    active = (place >= begin[:, None]) & (place <= finish[:, None])
    active &= (rng.random((size, len(years))) > 0.03) | (place == begin[:, None])
    planted = people.plant[chosen] > 0
    active |= planted[:, None]
    stop_year = 1970 + people.excluded_on[chosen] // 365.2425
    stops = (people.excluded_on[chosen] > 0) & ~people.bills_on[chosen]
    return np.asarray(active & ~(stops[:, None] & (years > stop_year[:, None])))


def _with_payment_dirt(
    clean: pl.DataFrame, spec: DemoSpec, rng: np.random.Generator, dirt: Dirt
) -> pl.DataFrame:
    """Append the kinds of bad payment rows that real releases hold, and shuffle them in."""
    bad = spec.dirty_rows(clean.height)
    oldest = str(spec.first_year)

    def sample(changes: dict[str, pl.Expr]) -> pl.DataFrame:
        rows = np.sort(rng.choice(clean.height, bad, replace=False))
        return clean[rows.astype(np.uint32)].with_columns(**changes)

    pieces = {
        "provider_id_not_npi": sample({"npi": "M" + pl.col("npi").str.slice(1)}),
        "npi_nine_digits": sample({"npi": pl.col("npi").str.slice(1)}),
        "negative_payments": sample(
            {"year": pl.lit(oldest), "payments": -pl.col("payments"), "claims": pl.lit("1")}
        ),
        "blank_npi_total": sample({"npi": pl.lit(None, pl.String), "payments": pl.col("payments") * 1_000}),
        "repeated_row": clean[np.sort(rng.choice(clean.height, bad, replace=False)).astype(np.uint32)],
        "claims_missing": sample({"year": pl.lit(oldest), "claims": pl.lit(None, pl.String)}),
        "year_impossible": sample({"year": pl.lit("0000")}),
    }
    for kind, rows in pieces.items():
        dirt.add("payments", kind, rows.height)
    dirty = pl.concat([clean, *pieces.values()]).cast({"payments": pl.String})
    return dirty[rng.permutation(dirty.height).astype(np.uint32)]


def truth(people: Population) -> pl.DataFrame:
    """Return what was planted, per billing NPI: npi, planted, excluded_on, reinstated_on, waived, bills_after."""
    return pl.DataFrame(
        {
            "npi": people.npi,
            "planted": pl.Series(PLANTS).gather(people.plant.astype(np.uint32)),
            "excluded_on": pl.Series(people.excluded_on).replace(0, None).cast(pl.Date),
            "reinstated_on": pl.Series(people.reinstated_on).replace(0, None).cast(pl.Date),
            "waived": people.waived,
            "bills_after": people.bills_on & (people.excluded_on > 0),
        }
    ).sort("npi")
