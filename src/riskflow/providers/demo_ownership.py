"""The demo's ownership table: chains, hubs, cycles, persons who own through organizations, excluded owners."""

from __future__ import annotations

import numpy as np
import polars as pl

from riskflow.providers.demo import STATES, DemoSpec, Dirt, Population, generator
from riskflow.providers.demo_tables import birth_dates, organization_names, person_names

DIRECT = "5% OR GREATER DIRECT OWNERSHIP INTEREST"
INDIRECT = "5% OR GREATER INDIRECT OWNERSHIP INTEREST"
CONTROL = "OPERATIONAL/MANAGERIAL CONTROL"
LENDER = "5% OR GREATER SECURITY INTEREST"
HUBS = 2
_FLAGS = ("HOLDING_COMPANY", "CHAIN_HOME_OFFICE", "PRIVATE_EQUITY", "REIT")


def owners(people: Population, spec: DemoSpec) -> pl.DataFrame:
    """Return the owners: organizations first, then persons; some carry an NPI, and some of those are excluded."""
    rng = generator(spec.seed, "ownership", 0)
    organizations, persons = max(20, people.size * 19 // 1_000), max(30, people.size * 30 // 1_000)
    count = organizations + persons
    is_organization = np.arange(count) < organizations
    key = rng.permutation(np.arange(1_000_000, 1_000_000 + count, dtype=np.int64) * 7 + 3)
    own_npi = rng.random(count) < 0.12
    facilities = np.nonzero(people.is_organization & (people.excluded_on == 0))[0]
    persons_billing = np.nonzero(~people.is_organization & (people.excluded_on == 0))[0]
    pick = np.where(
        is_organization,
        _distinct(rng, facilities, count),
        _distinct(rng, persons_billing, count),
    )
    key = np.where(own_npi, people.npi[pick], key)
    excluded = own_npi & (rng.random(count) < 0.25)
    last, first = person_names(key)
    return (
        pl.DataFrame(
            {
                "OWNER_ID": pl.Series(np.arange(count) + 1).cast(pl.String).str.zfill(9),
                "OWNER_TYPE": pl.Series(["I", "O"]).gather(is_organization.astype(np.uint32)),
                "organization": organization_names(key),
                "person": last + ", " + first,
                "OWNER_NPI": pl.Series(people.npi[pick]).cast(pl.String),
                "OWNER_DOB": birth_dates(key),
                "owner_key": key,
                "owner_excluded_on": np.where(excluded, rng.integers(16_500, 19_600, count), 0),
                "state": people.state[pick].astype(np.int64),
            }
        )
        .with_columns(
            OWNER_ID=pl.col("OWNER_TYPE") + pl.col("OWNER_ID"),
            OWNER_NAME=pl.when(pl.col("OWNER_TYPE") == "O").then("organization").otherwise("person"),
            OWNER_NPI=pl.when(pl.lit(pl.Series(own_npi))).then("OWNER_NPI"),
            OWNER_DOB=pl.when(pl.col("OWNER_TYPE") == "I").then("OWNER_DOB"),
        )
        .drop("organization", "person")
    )


def _distinct(rng: np.random.Generator, pool: np.ndarray, count: int) -> np.ndarray:
    """Return `count` members of the pool, repeating only when it is too small."""
    return np.resize(rng.permutation(pool), count)


def ownership(people: Population, owner: pl.DataFrame, spec: DemoSpec, dirt: Dirt) -> pl.DataFrame:
    """Return the raw ownership table (all text), one row per owner, owned and role."""
    rng = generator(spec.seed, "ownership", 1)
    organizations = int((owner["OWNER_TYPE"] == "O").sum())
    edges = np.concatenate(
        [
            _organization_edges(organizations, rng),
            _person_edges(organizations, owner.height, rng),
            *_facility_edges(people, organizations, owner.height, rng),
        ]
    )
    return _with_ownership_dirt(_ownership_rows(edges, people, owner, rng), spec, rng, dirt)


def _edges(owner: np.ndarray, owned: np.ndarray, facility: bool, pct: np.ndarray, role: int) -> np.ndarray:
    """Return rows (owner index, owned index, owned is facility, percentage or -1, role)."""
    columns = [owner, owned, np.full(len(owner), facility), pct, np.full(len(owner), role)]
    return np.column_stack([np.asarray(column, np.float64) for column in columns])


def _organization_edges(organizations: int, rng: np.random.Generator) -> np.ndarray:
    """A tree of organizations (each has at most one parent of lower number), and a few cycles."""
    child = np.nonzero(rng.random(organizations) < 0.6)[0]
    child = child[child > HUBS]
    parent = np.maximum(child // 5, HUBS)
    tree = _edges(parent, child, False, rng.integers(20, 101, len(child)), 0)
    back = _edges(child[-3:], np.maximum(child[-3:] // 5, HUBS), False, np.full(len(child[-3:]), 10), 1)
    return np.concatenate([tree, back[:, [1, 0, 2, 3, 4]], back])


def _person_edges(organizations: int, owners_count: int, rng: np.random.Generator) -> np.ndarray:
    persons = np.arange(organizations, owners_count)
    twice = np.concatenate([persons, persons[rng.random(len(persons)) < 0.5]])
    owned = rng.integers(HUBS, organizations, len(twice))
    return _edges(twice, owned, False, rng.integers(5, 61, len(twice)), 0)


def _facility_edges(
    people: Population, organizations: int, owners_count: int, rng: np.random.Generator
) -> list[np.ndarray]:
    pool = np.nonzero(people.is_organization)[0]
    facilities = np.sort(rng.choice(pool, min(len(pool), max(40, people.size * 4 // 100)), replace=False))
    count = len(facilities)
    second = facilities[rng.random(count) < 0.3]
    personal = facilities[rng.random(count) < 0.2]
    led = facilities[rng.random(count) < 0.5]
    hubbed = [rng.choice(pool, size, replace=False) for size in (_hub_size(count, len(pool)), count // 5)]
    unknown = np.full
    return [
        _edges(rng.integers(HUBS, organizations, count), facilities, True, rng.integers(51, 101, count), 0),
        _edges(
            rng.integers(HUBS, organizations, len(second)), second, True, rng.integers(5, 50, len(second)), 1
        ),
        _edges(
            rng.integers(organizations, owners_count, len(personal)),
            personal,
            True,
            rng.integers(5, 30, len(personal)),
            0,
        ),
        _edges(rng.integers(HUBS, organizations, len(led)), led, True, unknown(len(led), -1), 2),
        *[
            _edges(unknown(len(some), hub), some, True, unknown(len(some), 0), 3)
            for hub, some in enumerate(hubbed)
        ],
        *[
            _edges(unknown(len(some), hub), some, True, unknown(len(some), 15), 1)
            for hub, some in enumerate(hubbed)
        ],
    ]


def _hub_size(facilities: int, pool: int) -> int:
    """How many providers the largest owner has: more than any usual cap, where there are that many."""
    return min(max(facilities // 5, 250), pool // 2)


def _ownership_rows(
    edges: np.ndarray, people: Population, owner: pl.DataFrame, rng: np.random.Generator
) -> pl.DataFrame:
    who, owned, pct, role = (
        edges[:, 0].astype(int),
        edges[:, 1].astype(int),
        edges[:, 3],
        edges[:, 4].astype(int),
    )
    facility = edges[:, 2] > 0
    since = (np.datetime64("1998-01-01", "D") + rng.integers(0, 9_000, len(edges))).astype("datetime64[D]")
    flags = {
        name: pl.Series(["no", "yes"]).gather((rng.random(len(edges)) < 0.1).astype(np.uint32))
        for name in _FLAGS
    }
    owned_id = owner["OWNER_ID"].gather(np.where(facility, 0, owned).astype(np.uint32))
    owned_npi = pl.Series(people.npi[np.where(facility, owned, 0)]).cast(pl.String)
    return (
        owner[who.astype(np.uint32)]
        .select(
            "OWNER_ID",
            "OWNER_TYPE",
            "OWNER_NAME",
            "OWNER_NPI",
            pl.Series(STATES)
            .gather(owner["state"].gather(who.astype(np.uint32)).cast(pl.UInt32))
            .alias("OWNER_STATE"),
            pl.col("OWNER_DOB").dt.strftime("%m/%d/%Y"),
        )
        .with_columns(
            OWNED_ID=pl.when(pl.lit(pl.Series(~facility))).then(pl.lit(owned_id)),
            OWNED_NPI=pl.when(pl.lit(pl.Series(facility))).then(pl.lit(owned_npi)),
            ROLE=pl.Series([DIRECT, INDIRECT, CONTROL, LENDER]).gather(role.astype(np.uint32)),
            PERCENTAGE=pl.when(pl.lit(pl.Series(pct >= 0))).then(
                pl.lit(pl.Series(pct)).cast(pl.Int64).cast(pl.String)
            ),
            ASSOCIATION_DATE=pl.Series(since).dt.strftime("%m/%d/%Y"),
            **flags,
        )
        .unique(["OWNER_ID", "OWNED_ID", "OWNED_NPI", "ROLE"], keep="first", maintain_order=True)
    )


def _with_ownership_dirt(
    clean: pl.DataFrame, spec: DemoSpec, rng: np.random.Generator, dirt: Dirt
) -> pl.DataFrame:
    some = spec.dirty_rows(clean.height)
    rows = clean[np.sort(rng.choice(clean.height, some, replace=False)).astype(np.uint32)]
    known = rows.filter(pl.col("OWNED_NPI").is_not_null())
    pieces = {
        "repeated_row": rows,
        "percentage_impossible": rows.with_columns(PERCENTAGE=pl.lit("250")),
        "owned_missing": rows.with_columns(
            OWNED_ID=pl.lit(None, pl.String), OWNED_NPI=pl.lit(None, pl.String)
        ),
        "owned_id_not_npi": known.with_columns(OWNED_NPI="A" + pl.col("OWNED_NPI").str.slice(1)),
    }
    for kind, piece in pieces.items():
        dirt.add("ownership", kind, piece.height)
    dated = pl.lit(pl.Series(rng.random(clean.height) < 0.02))
    clean = clean.with_columns(ASSOCIATION_DATE=pl.when(~dated).then("ASSOCIATION_DATE"))
    repeated = clean.join(
        rows.select("OWNER_ID", "OWNED_ID", "OWNED_NPI", "ROLE"),
        nulls_equal=True,
        on=["OWNER_ID", "OWNED_ID", "OWNED_NPI", "ROLE"],
        how="semi",
    )
    dirty = pl.concat([clean, repeated, *[piece for kind, piece in pieces.items() if kind != "repeated_row"]])
    return dirty[rng.permutation(dirty.height).astype(np.uint32)]
