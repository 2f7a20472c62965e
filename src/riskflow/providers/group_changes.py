"""The change of a group's mean score between two runs: the effects of its providers, and who joined and left."""

from __future__ import annotations

import polars as pl

from riskflow.config.providers import TiersSection
from riskflow.contracts.providers_scores import FACTORS, GROUP_CHANGES
from riskflow.providers.arithmetic import quotient
from riskflow.providers.rank import tier

MEASURED = ("r_raw", "risk_score")
_UNITS = 1e10  # means are taken over whole 1e-10 points: no order of providers can change them


def group_changes(
    changes: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame, tiers: TiersSection
) -> pl.DataFrame:
    """Return one row per group (contract GROUP_CHANGES): everybody, each state, each taxonomy, each tier.

    `changes`: contract CHANGES; `before` and `after`: npi, taxonomy, state of each run's universe. A tier is
    that of `tiers` on each run's risk_score. With G the scored providers of a group and S those that are
    comparable and in the group in both runs, change = mean_after(G) - mean_before(G); a factor's effect is
    its mean over S, and membership is what is left by who is in G but not in S:
    (mean_after(G) - mean_after(S)) - (mean_before(G) - mean_before(S)).
    """
    frame = (
        changes.join(_places(before, "before"), on="npi", how="left")
        .join(_places(after, "after"), on="npi", how="left")
        .with_columns(
            *(_tier(tiers, when) for when in ("before", "after")),
            pl.lit("all").alias("all_before"),
            pl.lit("all").alias("all_after"),
        )
    )
    tables = [_grouped(frame, grouping) for grouping in ("all", "state", "taxonomy", "tier")]
    return pl.concat(tables).sort("grouping", "group")


def _places(universe: pl.DataFrame, when: str) -> pl.DataFrame:
    return universe.select(
        "npi", *(pl.col(name).fill_null("unknown").alias(f"{name}_{when}") for name in ("taxonomy", "state"))
    )


def _tier(tiers: TiersSection, when: str) -> pl.Expr:
    return tier(tiers, pl.col(f"risk_score_{when}")).alias(f"tier_{when}")


def _grouped(frame: pl.DataFrame, grouping: str) -> pl.DataFrame:
    was, now = f"{grouping}_before", f"{grouping}_after"
    stayed = (pl.col("status") == "both") & (pl.col(was) == pl.col(now))
    earlier = frame.filter(pl.col("r_raw_before").is_not_null()).group_by(pl.col(was).alias("group"))
    later = frame.filter(pl.col("r_raw_after").is_not_null()).group_by(pl.col(now).alias("group"))
    stayers = frame.filter(stayed).group_by(pl.col(was).alias("group"))
    joined = (
        earlier.agg(pl.len().alias("providers_before"), *(_mean(f"{m}_before") for m in MEASURED))
        .join(
            later.agg(pl.len().alias("providers_after"), *(_mean(f"{m}_after") for m in MEASURED)),
            on="group",
            how="full",
            coalesce=True,
        )
        .join(
            stayers.agg(
                pl.len().alias("providers_both"),
                *(
                    _mean(f"{m}_{part}", f"{m}_{part}_stayed")
                    for m in MEASURED
                    for part in ("before", "after")
                ),
                *(_mean(f"{m}_{factor}") for m in MEASURED for factor in FACTORS),
            ),
            on="group",
            how="left",
        )
    )
    sizes = [f"providers_{part}" for part in ("before", "after", "both")]
    return joined.with_columns(
        pl.lit(grouping).alias("grouping"),
        pl.col(sizes).fill_null(0).cast(pl.Int64),
        *(expression for measure in MEASURED for expression in _change(measure)),
    ).select(list(GROUP_CHANGES.schema))


def _change(measure: str) -> list[pl.Expr]:
    """Return change, effects and membership; null where the group had no scored provider in one of the runs."""
    before, after = pl.col(f"{measure}_before"), pl.col(f"{measure}_after")
    there = pl.when(before.is_not_null() & after.is_not_null())

    def stayed(part: str) -> pl.Expr:
        return pl.col(f"{measure}_{part}_stayed").fill_null(0.0)

    membership = (after - stayed("after")) - (before - stayed("before"))
    effects = [there.then(pl.col(f"{measure}_{f}").fill_null(0.0)).alias(f"{measure}_{f}") for f in FACTORS]
    return [
        (after - before).alias(f"{measure}_change"),
        *effects,
        there.then(membership).alias(f"{measure}_membership"),
    ]


def _mean(column: str, name: str | None = None) -> pl.Expr:
    units = (pl.col(column) * _UNITS).round().cast(pl.Int64)
    return quotient(units.sum(), pl.len() * _UNITS).alias(name or column)
