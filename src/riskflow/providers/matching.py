"""Who an exclusion may be about: candidates in tiers, in a table of their own. Only tier A is ever scored.

A  the same NPI.
B  the same exact name and the same birth date.
C  the same exact name and state, where this name and state belong to one exclusion and to one target.
D  the same exact name only (an exclusion list cuts names at 30 characters: a name cut there counts as equal),
   where no more than 20 targets bear it: a name that many bear says nothing.
An exact name is in capitals, with single spaces and without punctuation. Each pair is listed once, under its
best tier.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import ExclusionsStage
from riskflow.contracts.providers_sources import EXCLUSIONS, MATCHES, OWNERSHIP, REGISTRY
from riskflow.providers.parse import exact_name
from riskflow.receipts import Receipt

TOO_COMMON = 20  # targets of one name above which the name alone is no candidate
CUT_AT = 30  # characters to which the list cuts a business name
_EVIDENCE = {
    "A": "same NPI",
    "B": "same name and birth date",
    "C": "same name and state, one of each",
    "D": "same name only",
}


def targets(registry: pl.LazyFrame, ownership: pl.DataFrame) -> pl.LazyFrame:
    """Return target_kind, target_id, npi, name, state, dob of providers and of owners (one row per name of each)."""
    providers = registry.select(
        pl.lit("provider").alias("target_kind"),
        pl.concat_str(pl.lit("npi:"), pl.col("npi").cast(pl.String)).alias("target_id"),
        "npi",
        pl.col("display_name").alias("name"),
        "state",
        pl.lit(None, pl.Date).alias("dob"),
    )
    owners = ownership.lazy().select(
        pl.col("owner_kind").alias("target_kind"),
        pl.col("owner_id").alias("target_id"),
        pl.col("owner_npi").alias("npi"),
        pl.col("owner_name").alias("name"),
        pl.col("owner_state").alias("state"),
        pl.col("owner_dob").alias("dob"),
    )
    return pl.concat([providers, owners.unique()])


def match(exclusions: pl.DataFrame, candidates: pl.LazyFrame) -> pl.DataFrame:
    """Return the matches (contract MATCHES) between exclusions (contract EXCLUSIONS) and `targets`."""
    is_cut = pl.col("name").str.len_chars() == CUT_AT
    listed = exclusions.with_columns(name=exact_name("name"), is_cut=is_cut)
    known = _worth_comparing(listed, candidates)
    tiers = [
        _pairs(listed, known, ["npi"], "A"),
        _pairs(listed, known, ["name", "dob"], "B"),
        _unique_pairs(listed, known, ["name", "state"], "C"),
        _pairs(listed, _not_common(known, "name"), ["name"], "D"),
        _cut_name_pairs(listed, _not_common(known.filter("is_longer"), "cut_name"), "D"),
    ]
    key = list(MATCHES.key)
    best = pl.concat(tiers).group_by(key).agg(pl.col("tier").min())
    return (
        best.with_columns(
            evidence=pl.col("tier").replace_strict(_EVIDENCE, return_dtype=pl.String),
            candidates=pl.len().over("exclusion_id", "tier").cast(pl.Int64),
            scored=pl.col("tier") == "A",
        )
        .select(list(MATCHES.columns))
        .sort(key)
    )


def _worth_comparing(listed: pl.DataFrame, candidates: pl.LazyFrame) -> pl.DataFrame:
    """Return the targets that share an NPI or a name with an exclusion, with exact names, also as cut."""
    names, cut = listed["name"].drop_nulls().unique(), listed.filter("is_cut")["name"].drop_nulls().unique()
    return (
        candidates.with_columns(
            name=exact_name("name"),
            is_longer=pl.col("name").str.len_chars() > CUT_AT,
            cut_name=pl.col("name").str.slice(0, CUT_AT),
        )
        .with_columns(cut_name=exact_name("cut_name"))
        .filter(
            pl.col("npi").is_in(listed["npi"].drop_nulls().unique().implode())
            | pl.col("name").is_in(names.implode())
            | (pl.col("is_longer") & pl.col("cut_name").is_in(cut.implode()))
        )
        .collect(engine="streaming")
    )


def _not_common(known: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the targets whose name few others bear."""
    bearers = pl.struct("target_kind", "target_id").n_unique().over(name)
    return known.filter(bearers <= TOO_COMMON)


def _pairs(listed: pl.DataFrame, known: pl.DataFrame, on: list[str], tier: str) -> pl.DataFrame:
    return _as_pairs(listed.select("exclusion_id", *on).join(known, on=on), tier)


def _unique_pairs(listed: pl.DataFrame, known: pl.DataFrame, on: list[str], tier: str) -> pl.DataFrame:
    """Pairs whose shared columns belong to one exclusion and one target."""
    one_exclusion = listed.select("exclusion_id", *on).filter(pl.len().over(on) == 1)
    one_target = known.unique(["target_kind", "target_id", *on]).join(one_exclusion, on=on, how="semi")
    return _pairs(one_exclusion, one_target.filter(pl.len().over(on) == 1), on, tier)


def _cut_name_pairs(listed: pl.DataFrame, known: pl.DataFrame, tier: str) -> pl.DataFrame:
    """Pairs in which the listed name is what is left of the target's when it is cut."""
    cut = listed.filter("is_cut").select("exclusion_id", pl.col("name").alias("cut_name"))
    return _as_pairs(cut.join(known, on="cut_name"), tier)


def _as_pairs(pairs: pl.DataFrame, tier: str) -> pl.DataFrame:
    return pairs.select("exclusion_id", "target_kind", "target_id", pl.lit(tier).alias("tier"))


def run(
    *, exclusions: Path, registry: Path, ownership: Path, output: Path, config: ExclusionsStage
) -> Receipt:
    """List the candidates for who each exclusion is about, by tier."""
    listed = artifacts.read(exclusions, EXCLUSIONS)
    wanted = listed if config.exclusions.match_names else listed.with_columns(name=pl.lit(None, pl.String))
    found = match(wanted, targets(artifacts.scan(registry, REGISTRY), artifacts.read(ownership, OWNERSHIP)))
    artifacts.write(found, output, MATCHES)
    by_tier = dict(found.group_by("tier").len().sort("tier").rows())
    return Receipt(counts={f"tier_{tier.lower()}": by_tier.get(tier, 0) for tier in _EVIDENCE})
