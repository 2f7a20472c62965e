"""The demo's registry, exclusions and ownership tables, in the raw layouts of their public models."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from riskflow.providers.demo import (
    BLOCK,
    FIRST_ORGANIZATION_TAXONOMY,
    STATES,
    TAXONOMIES,
    WORDS,
    DemoSpec,
    Dirt,
    Population,
    generator,
    npi_numbers,
)

FIRST_NAMES = WORDS["first_names"]
LAST_NAMES = WORDS["last_names"]
ORGANIZATION_WORDS = WORDS["organization_words"]
ORGANIZATION_ENDINGS = WORDS["organization_endings"]
EXCLUSION_TYPES = ("1128a1", "1128a2", "1128a3", "1128a4", "1128b4", "1128b7", "1128b8", "1128b14")
NO_NPI = "0000000000"
NO_DATE = "00000000"
_EPOCH = np.datetime64("1970-01-01", "D")


def person_names(key: np.ndarray) -> tuple[pl.Series, pl.Series]:
    """Return last and first names that belong to the keys."""
    last = pl.Series(LAST_NAMES).gather((key // 11 % len(LAST_NAMES)).astype(np.uint32))
    second = pl.Series(LAST_NAMES).gather((key // 977 % len(LAST_NAMES)).astype(np.uint32))
    first = pl.Series(FIRST_NAMES).gather((key // 7 % len(FIRST_NAMES)).astype(np.uint32))
    return last + "-" + second, first


def organization_names(key: np.ndarray) -> pl.Series:
    """Return names of organizations that belong to the keys."""
    words, endings = pl.Series(ORGANIZATION_WORDS), pl.Series(ORGANIZATION_ENDINGS)
    one = words.gather((key // 13 % len(words)).astype(np.uint32))
    two = words.gather((key // 1_009 % len(words)).astype(np.uint32))
    ending = endings.gather((key // 5 % len(endings)).astype(np.uint32))
    return one + " " + two + " " + pl.Series(key % 997).cast(pl.String) + " " + ending


def display_names(npi: np.ndarray, is_organization: np.ndarray) -> pl.Series:
    """Return "LAST, FIRST" for people and the name for organizations."""
    last, first = person_names(npi)
    names = pl.DataFrame(
        {"org": organization_names(npi), "person": last + ", " + first, "is": is_organization}
    )
    return names.select(pl.when("is").then("org").otherwise("person").alias("display_name")).to_series()


def registry(people: Population, spec: DemoSpec, dirt: Dirt) -> Iterator[pl.DataFrame]:
    """Yield blocks of the raw registry (all text): npi, display_name, taxonomy_1, state, entity_type, updated_at."""
    total = people.size + round(people.size * spec.registry_extra)
    for block, first in enumerate(range(0, total, BLOCK)):
        rng = generator(spec.seed, "registry", block)
        chosen = np.arange(first, min(first + BLOCK, total))
        yield _with_registry_dirt(_registry_block(people, chosen, spec, rng), spec, rng, dirt)


def _registry_block(
    people: Population, chosen: np.ndarray, spec: DemoSpec, rng: np.random.Generator
) -> pl.DataFrame:
    size, biller = len(chosen), chosen < people.size
    inside = np.minimum(chosen, people.size - 1)
    npi = npi_numbers(int(chosen[0]), size, spec.seed)
    taxonomy = np.where(biller, people.taxonomy[inside], rng.integers(0, len(TAXONOMIES), size))
    state = np.where(biller, people.state[inside], rng.integers(0, len(STATES), size))
    is_organization = taxonomy >= FIRST_ORGANIZATION_TAXONOMY
    updated = (_EPOCH + rng.integers(14_000, 19_700, size)).astype("datetime64[D]")
    return pl.DataFrame(
        {
            "npi": npi,
            "display_name": display_names(npi, is_organization),
            "taxonomy_1": pl.Series(TAXONOMIES).gather(taxonomy.astype(np.uint32)),
            "state": pl.Series(STATES).gather(state.astype(np.uint32)),
            "entity_type": pl.Series(["1", "2"]).gather(is_organization.astype(np.uint32)),
            "updated_at": pl.Series(updated).dt.strftime("%m/%d/%Y"),
        }
    ).cast({"npi": pl.String})


def _with_registry_dirt(
    clean: pl.DataFrame, spec: DemoSpec, rng: np.random.Generator, dirt: Dirt
) -> pl.DataFrame:
    some = spec.dirty_rows(clean.height)
    hit = rng.permutation(clean.height)
    place = pl.Series(np.argsort(hit))
    clean = clean.with_columns(
        state=pl.when(place < some).then(None).otherwise(pl.col("state")),
        taxonomy_1=pl.when(place.is_between(some, 2 * some - 1)).then(None).otherwise(pl.col("taxonomy_1")),
    )
    rows = clean[hit[2 * some : 3 * some].astype(np.uint32)]
    older = rows.with_columns(updated_at=pl.lit("01/01/2005"))
    invalid = rows.with_columns(npi="A" + pl.col("npi").str.slice(1))
    wrong_digit = ((pl.col("npi").str.slice(9).cast(pl.Int64) + 1) % 10).cast(pl.String)
    luhn = rows.with_columns(npi=pl.col("npi").str.slice(0, 9) + wrong_digit)
    for kind, count in (("state_missing", some), ("taxonomy_missing", some), ("older_record", older.height)):
        dirt.add("registry", kind, count)
    dirt.add("registry", "provider_id_not_npi", invalid.height)
    dirt.add("registry", "check_digit_wrong", luhn.height)
    dirty = pl.concat([clean, older, invalid, luhn])
    return dirty[rng.permutation(dirty.height).astype(np.uint32)]


def exclusions(people: Population, owners: pl.DataFrame, spec: DemoSpec, dirt: Dirt) -> list[pl.DataFrame]:
    """Return the exclusion list and its monthly supplement, which repeats a part of it (LEIE layout, all text)."""
    rng = generator(spec.seed, "exclusions")
    own = _provider_exclusions(people, rng)
    known = pl.concat([own, _owner_exclusions(owners, rng)])
    anonymous = _exclusions_without_npi(people, owners, 9 * known.height, spec, rng)
    full = pl.concat([known, anonymous])
    full = full[rng.permutation(full.height).astype(np.uint32)]
    some = spec.dirty_rows(full.height)
    repeated, undated = full[: 4 * some], full[:some].with_columns(EXCLDATE=pl.lit(NO_DATE))
    dirt.add("exclusions", "repeated_row", repeated.height)
    dirt.add("exclusions", "date_missing", undated.height)
    return [full, pl.concat([repeated, undated])]


def _provider_exclusions(people: Population, rng: np.random.Generator) -> pl.DataFrame:
    hit = np.nonzero(people.excluded_on)[0]
    is_organization = people.is_organization[hit]
    last, first = person_names(people.npi[hit])
    waived_on = np.where(people.waived[hit], people.excluded_on[hit] + 100, 0)
    return _leie_rows(
        npi=pl.Series(people.npi[hit]).cast(pl.String),
        last=last,
        first=first,
        organization=organization_names(people.npi[hit]),
        is_organization=is_organization,
        state=people.state[hit],
        days=(people.excluded_on[hit], people.reinstated_on[hit], waived_on),
        rng=rng,
        born=birth_dates(people.npi[hit]),
    )


def _owner_exclusions(owners: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Exclude some owners that carry an NPI of their own."""
    hit = owners.filter(pl.col("owner_excluded_on") > 0)
    key = hit["owner_key"].to_numpy()
    last, first = person_names(key)
    days = hit["owner_excluded_on"].to_numpy()
    return _leie_rows(
        npi=hit["OWNER_NPI"],
        last=last,
        first=first,
        organization=organization_names(key),
        is_organization=(hit["OWNER_TYPE"] == "O").to_numpy(),
        state=hit["state"].to_numpy(),
        days=(days, np.zeros_like(days), np.zeros_like(days)),
        rng=rng,
        born=hit["OWNER_DOB"],
    )


def _exclusions_without_npi(
    people: Population, owners: pl.DataFrame, count: int, spec: DemoSpec, rng: np.random.Generator
) -> pl.DataFrame:
    """Most exclusions carry no NPI; a few bear the name of a provider or of an owner."""
    key = rng.integers(1 << 32, 1 << 40, count)
    state = rng.integers(0, len(STATES), count)
    born = birth_dates(key)
    some = min(count // 4, people.size)
    namesake = rng.choice(people.size, some, replace=False)
    key[:some], state[:some] = people.npi[namesake], people.state[namesake]
    is_organization = rng.random(count) < 0.1
    is_organization[:some] = people.is_organization[namesake]
    known = owners.filter((pl.col("OWNER_TYPE") == "I") & pl.col("OWNER_NPI").is_null()).head(
        max(3, count // 100)
    )
    owner_place = slice(some, some + known.height)
    key[owner_place], state[owner_place] = known["owner_key"].to_numpy(), known["state"].to_numpy()
    is_organization[owner_place] = False
    born = pl.concat([born[:some], known["OWNER_DOB"], born[some + known.height :]])
    last, first = person_names(key)
    excluded = rng.integers(7_000, 19_500, count)
    back = np.where(rng.random(count) < 0.1, excluded + 1_500, 0)
    return _leie_rows(
        npi=pl.Series([NO_NPI]).new_from_index(0, count),
        last=last,
        first=first,
        organization=organization_names(key),
        is_organization=is_organization,
        state=state,
        days=(excluded, back, np.zeros(count, np.int64)),
        rng=rng,
        born=born,
    )


def birth_dates(key: np.ndarray) -> pl.Series:
    """Return the birth dates that belong to the keys."""
    return pl.Series((_EPOCH + (key % 18_000 - 10_000)).astype("datetime64[D]"))


def _leie_rows(
    *,
    npi: pl.Series,
    last: pl.Series,
    first: pl.Series,
    organization: pl.Series,
    is_organization: np.ndarray,
    state: np.ndarray,
    days: tuple[np.ndarray, np.ndarray, np.ndarray],
    rng: np.random.Generator,
    born: pl.Series,
) -> pl.DataFrame:
    excluded, reinstated, waived = (_leie_dates(day) for day in days)
    kinds = pl.Series(EXCLUSION_TYPES).gather(
        rng.integers(0, len(EXCLUSION_TYPES), len(npi)).astype(np.uint32)
    )
    states = pl.Series(STATES).gather(np.asarray(state).astype(np.uint32))
    is_org = pl.lit(pl.Series(is_organization))
    return pl.DataFrame(
        {"LASTNAME": last, "FIRSTNAME": first, "BUSNAME": organization, "NPI": npi}
    ).with_columns(
        LASTNAME=pl.when(is_org).then(None).otherwise(pl.col("LASTNAME").str.to_uppercase()),
        FIRSTNAME=pl.when(is_org).then(None).otherwise(pl.col("FIRSTNAME").str.to_uppercase()),
        BUSNAME=pl.when(is_org).then(pl.col("BUSNAME").str.to_uppercase()),
        DOB=pl.when(~is_org).then(pl.lit(born).dt.strftime("%Y%m%d")).fill_null(NO_DATE),
        STATE=states,
        EXCLTYPE=kinds,
        EXCLDATE=excluded,
        REINDATE=reinstated,
        WAIVERDATE=waived,
        WVRSTATE=pl.when(pl.lit(waived != NO_DATE)).then(states),
    )


def _leie_dates(days: np.ndarray) -> pl.Series:
    dates = pl.Series((_EPOCH + days).astype("datetime64[D]")).dt.strftime("%Y%m%d")
    return dates.set(pl.Series(days == 0), NO_DATE)
