"""The small frames behind the provider page: counts and means of the published scores."""

from __future__ import annotations

import polars as pl

from riskflow.contracts.providers_scores import COMPONENTS, TIERS

UNKNOWN = "not known"
OTHERS = "all others"
NEARLY_ALL = 0.99
_FLAG_NAME = r'"flag":\s*"([a-z_]+)"'


def scored_rows(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the providers that have a score."""
    return scores.filter(pl.col("risk_score").is_not_null())


def tiers_by(scored: pl.DataFrame, group: str, top: int) -> pl.DataFrame:
    """Return one row per value of `group` with the most providers, and one for all others.

    Columns: label, providers, one column of counts per tier, high_share (0..1), median_r_raw. Largest first.
    """
    named = scored.with_columns(pl.col(group).fill_null(UNKNOWN).alias("label"))
    order = named["label"].value_counts(name="n").sort(["n", "label"], descending=[True, False])
    shown = order["label"].head(top).to_list()
    folded = named.with_columns(
        pl.when(pl.col("label").is_in(shown)).then("label").otherwise(pl.lit(OTHERS)).alias("label")
    )
    return (
        folded.group_by("label")
        .agg(
            pl.len().alias("providers"),
            *((pl.col("risk_label") == tier).sum().alias(tier) for tier in TIERS),
            pl.col("r_raw").median().alias("median_r_raw"),
        )
        .with_columns((pl.col("High") / pl.col("providers")).alias("high_share"))
        .sort([pl.col("label") == OTHERS, -pl.col("providers").cast(pl.Int64), "label"])
    )


def component_facts(scored: pl.DataFrame) -> pl.DataFrame:
    """Return per component: measured (share of providers, 0..1), mean, mean_contribution, largest (providers).

    `largest` counts the providers in whose score the component adds most (ties: the first component).
    """
    most = pl.concat_list(f"{name}_contribution" for name in COMPONENTS).list.arg_max()
    largest = scored.filter(pl.col("r_raw") > 0).select(most.alias("most"))["most"]
    rows = [
        {
            "component": name,
            "measured": scored[name].count() / scored.height if scored.height else None,
            "mean": _mean(scored, name),
            "mean_contribution": _mean(scored, f"{name}_contribution"),
            "largest": int((largest == number).sum()),
        }
        for number, name in enumerate(COMPONENTS)
    ]
    schema = {"component": pl.String, "measured": pl.Float64, "mean": pl.Float64}
    return pl.DataFrame(rows, schema=schema | {"mean_contribution": pl.Float64, "largest": pl.Int64})


def idle_components(scored: pl.DataFrame) -> pl.DataFrame:
    """Return component, value, providers, of: components with one value above 0 for nearly every provider."""
    rows: list[tuple[str, float, int, int]] = []
    for name in COMPONENTS:
        known = scored[name].drop_nulls()
        counts = known.value_counts(name="n").sort("n", name, descending=True).head(1)
        rows.extend((name, value, n, known.len()) for value, n in counts.rows() if value > 0)
    schema = {"component": pl.String, "value": pl.Float64, "providers": pl.Int64, "of": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").filter(
        pl.col("providers") >= NEARLY_ALL * pl.col("of")
    )


def contributions_by_tier(scored: pl.DataFrame) -> dict[str, list[float]]:
    """Return component → its mean contribution in each tier, in the order of TIERS."""
    by_tier = {tier: scored.filter(pl.col("risk_label") == tier) for tier in TIERS}
    return {
        name: [_mean(rows, f"{name}_contribution") or 0.0 for rows in by_tier.values()] for name in COMPONENTS
    }


def flag_counts(scores: pl.DataFrame) -> pl.DataFrame:
    """Return flag, providers: how often each flag is raised, most often first."""
    names = scores.select(
        pl.col("flags").str.extract_all(_FLAG_NAME).list.eval(pl.element().str.extract(_FLAG_NAME))
    )
    return (
        names.explode("flags")
        .drop_nulls()["flags"]
        .value_counts(name="providers")
        .rename({"flags": "flag"})
        .sort(["providers", "flag"], descending=[True, False])
    )


def not_scored_reasons(scores: pl.DataFrame) -> pl.DataFrame:
    """Return reason, providers of those without a score."""
    reasons = scores["not_scored_reason"].drop_nulls().value_counts(name="providers")
    return reasons.rename({"not_scored_reason": "reason"}).sort(
        ["providers", "reason"], descending=[True, False]
    )


def peer_bases(scored: pl.DataFrame) -> pl.DataFrame:
    """Return basis, providers, median_peers: with whom the providers were compared."""
    return (
        scored.group_by(pl.col("peer_basis").fill_null(UNKNOWN).alias("basis"))
        .agg(pl.len().alias("providers"), pl.col("peer_n").median().alias("median_peers"))
        .sort(["providers", "basis"], descending=[True, False])
    )


def top_providers(scored: pl.DataFrame, top: int) -> pl.DataFrame:
    """Return the `top` highest ranked, with the parts of a table row; ties in the order of NPIs."""
    return (
        scored.sort("rank", "npi")
        .head(top)
        .select(
            "rank",
            who(),
            "risk_score",
            "risk_label",
            pl.struct(pl.col(f"{name}_contribution").alias(name) for name in COMPONENTS).alias(
                "contributions"
            ),
            "reasons",
            "score_change",
        )
    )


def paid_after_exclusion(scores: pl.DataFrame, top: int) -> pl.DataFrame:
    """Return the providers paid most in years wholly under their own exclusion."""
    paid = scores.filter(pl.col("payments_after_exclusion_cents") > 0)
    return (
        paid.sort(-pl.col("payments_after_exclusion_cents"), "npi")
        .head(top)
        .select(
            who(), (pl.col("payments_after_exclusion_cents") / 100).alias("paid_after"), "risk_label", "rank"
        )
    )


def movers(scored: pl.DataFrame, top: int) -> pl.DataFrame:
    """Return the providers whose score rose most since the earlier run."""
    moved = scored.filter(pl.col("score_change") > 0)
    return (
        moved.sort(-pl.col("score_change"), "npi")
        .head(top)
        .select(who(), "previous_risk_score", "risk_score", "score_change", "rank_change", "reasons")
    )


def who() -> pl.Expr:
    """Return a provider as two lines: its name, then NPI, taxonomy and state."""
    name = pl.col("display_name").fill_null("no registered name")
    place = pl.concat_str("npi", "peer_taxonomy", "peer_state", separator=" · ", ignore_nulls=True)
    return pl.concat_list(name, place).alias("who")


def _mean(frame: pl.DataFrame, column: str) -> float | None:
    """Return the mean, summed in the order of the rows, or None without values."""
    value = frame[column].mean()
    return float(value) if isinstance(value, int | float) else None
