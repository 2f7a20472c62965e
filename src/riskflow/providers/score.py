"""The score of one shard: five components, their additive contributions, and what they were compared with.

Everything here is about the shard's own providers. What depends on the population (peer statistics) comes
in as the reference, and what follows from the population (percentile, tier) comes after the merge.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import ComponentsSection, ScoreStage, WeightsSection
from riskflow.contracts.providers_scores import COMPONENTS, METRICS, PROGRAMS, REFERENCE, SHARD_SCORES
from riskflow.contracts.providers_sources import FEATURES
from riskflow.contracts.providers_universe import UNIVERSE
from riskflow.errors import RiskflowError
from riskflow.providers import components as parts
from riskflow.providers.arithmetic import quotient
from riskflow.providers.evidence import billing_evidence, growth_evidence
from riskflow.providers.method import Method, method_of
from riskflow.providers.reference import with_peers
from riskflow.receipts import Receipt

NO_PAYMENTS = "no payments in the scored years"
NO_PEERS = "no year with a measure that enough peers have"
NO_WEIGHT = "every component that could be measured has weight 0"


def score_shard(
    metrics: pl.DataFrame,
    programs: pl.DataFrame,
    features: pl.DataFrame,
    universe: pl.DataFrame,
    reference: pl.DataFrame,
    config: ScoreStage,
) -> pl.DataFrame:
    """Return one row per NPI of `universe` (npi, taxonomy, state, is_owned), whatever can be said about it.

    `metrics` and `programs` are the shard's rows, `features` has one row per NPI of the universe (graph),
    `reference` is global. Columns: npi, the five components (null: nothing to measure), `<name>_contribution`
    (0 where missing; their sum is r_raw), r_raw (null when not scored), coverage (share of the weights that
    are present), peer_basis, peer_n, peer_taxonomy, peer_state, data_window_years, the evidence behind
    billing and trajectory, top_program and top_share, not_scored_reason.
    Raises RiskflowError when an NPI has no features or when payments name an NPI outside the universe.
    """
    frame, rows = _measured(metrics, programs, features, universe, reference, config)
    method = method_of(config.scoring, config.peers)
    return (
        frame.join(_peers(rows, method), on="npi", how="left")
        .join(billing_evidence(rows), on="npi", how="left")
        .join(growth_evidence(rows), on="npi", how="left")
        .pipe(combine, config.weights, method)
        .rename({"taxonomy": "peer_taxonomy", "state": "peer_state"})
        .select(list(SHARD_SCORES.schema))
        .sort("npi")
    )


def raw_scores(
    metrics: pl.DataFrame,
    programs: pl.DataFrame,
    features: pl.DataFrame,
    universe: pl.DataFrame,
    reference: pl.DataFrame,
    config: ScoreStage,
) -> pl.DataFrame:
    """Return npi and r_raw only, exactly as `score_shard` gives them."""
    frame, _ = _measured(metrics, programs, features, universe, reference, config)
    method = method_of(config.scoring, config.peers)
    return combine(frame, config.weights, method).select("npi", "r_raw").sort("npi")


def run(
    *,
    universe: Path,
    metrics: Path,
    programs: Path,
    features: Path,
    reference: Path,
    output: Path,
    config: ScoreStage,
) -> Receipt:
    """Write the scores of one shard; every input but the reference is the shard's own."""
    scores = score_shard(
        artifacts.read(metrics, METRICS),
        artifacts.read(programs, PROGRAMS),
        artifacts.read(features, FEATURES),
        artifacts.read(universe, UNIVERSE),
        artifacts.read(reference, REFERENCE),
        config,
    )
    artifacts.write(scores, output, SHARD_SCORES)
    reasons = scores.group_by("not_scored_reason").len().drop_nulls()
    counts = {"providers": scores.height, "scored": scores.height - int(reasons["len"].sum())}
    return Receipt(counts=counts, facts={"not_scored": dict(sorted(reasons.iter_rows()))})


def combine(frame: pl.DataFrame, weights: WeightsSection, method: Method) -> pl.DataFrame:
    """Add contributions, r_raw, coverage and not_scored_reason to a frame with the five components.

    v1 shares the weight of a missing component among those present, and scores a provider only when its
    billing or its growth can be compared with peers. claidex counts a missing component as 0.
    """
    weight = {name: float(getattr(weights, name)) for name in COMPONENTS}
    present = _total(pl.when(pl.col(name).is_not_null()).then(w).otherwise(0.0) for name, w in weight.items())
    nothing = (
        pl.when(pl.col("data_window_years").is_null())
        .then(pl.lit(NO_PAYMENTS))
        .when(_incomparable(method))
        .then(pl.lit(NO_PEERS))
        .when(present <= 0)
        .then(pl.lit(NO_WEIGHT))
    )
    frame = frame.with_columns(present.alias("_present"), nothing.alias("not_scored_reason"))
    if method.name == "claidex":
        has_payments = pl.col("data_window_years").is_not_null()
        frame = frame.with_columns(
            pl.when(has_payments).then(pl.col(name).fill_null(0.0)).otherwise(name).alias(name)
            for name in COMPONENTS
        )
    divisor = pl.lit(sum(weight.values())) if method.name == "claidex" else pl.col("_present")
    scored = pl.when(pl.col("not_scored_reason").is_null())
    shares = [
        scored.then(quotient(pl.col(name) * w, divisor).fill_null(0.0)).alias(f"{name}_contribution")
        for name, w in weight.items()
    ]
    coverage = quotient(pl.col("_present"), pl.lit(sum(weight.values())))
    return (
        frame.with_columns(*shares, coverage.alias("coverage"))
        .with_columns(_total(pl.col(f"{name}_contribution") for name in COMPONENTS).alias("r_raw"))
        .drop("_present")
    )


def _measured(
    metrics: pl.DataFrame,
    programs: pl.DataFrame,
    features: pl.DataFrame,
    universe: pl.DataFrame,
    reference: pl.DataFrame,
    config: ScoreStage,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the universe with its five components, and the yearly rows with peers and z scores behind them."""
    _check_complete(metrics, features, universe)
    method = method_of(config.scoring, config.peers)
    rows = with_peers(method.measures(metrics), reference, method)
    rows = parts.year_excess(rows, method, config.components.z_cap)
    means = parts.decayed_means(
        rows, last_year=config.scoring.date.year, year_decay=config.components.year_decay
    )
    frame = (
        universe.select("npi", "taxonomy", "state")
        .join(parts.payment_components(means, method), on="npi", how="left")
        .join(_programs(programs, config.components, method), on="npi", how="left")
        .join(_features(features, universe, method), on="npi", how="left")
        .join(_window(metrics), on="npi", how="left")
    )
    return frame, rows


def _total(terms: Iterable[pl.Expr]) -> pl.Expr:
    """Add in the order given, so that every run rounds alike; null when a term is."""
    return reduce(lambda left, right: left + right, terms)


def _incomparable(method: Method) -> pl.Expr:
    if method.name == "claidex":
        return pl.lit(False)
    return pl.col("billing").is_null() & pl.col("trajectory").is_null()


def _programs(programs: pl.DataFrame, config: ComponentsSection, method: Method) -> pl.DataFrame:
    share = pl.when(pl.col("positive_cents") > 0).then(
        quotient(pl.col("top_cents"), pl.col("positive_cents"))
    )
    return programs.select(
        "npi",
        parts.concentration(config, method).alias("concentration"),
        "top_program",
        (100.0 * share).alias("top_share"),
    )


def _features(features: pl.DataFrame, universe: pl.DataFrame, method: Method) -> pl.DataFrame:
    owned = features.join(universe.select("npi", "is_owned"), on="npi", how="inner")
    return owned.select(
        "npi", parts.ownership(method).alias("ownership"), parts.exclusion().alias("exclusion")
    )


def _peers(rows: pl.DataFrame, method: Method) -> pl.DataFrame:
    """Return peer_basis and peer_n of the newest year that has peers: those of payment per claim where it can be."""
    named = []
    for measure, ladder in method.ladders.items():
        names = pl.Series([rung.name for rung in ladder])
        basis = pl.lit(names).gather(pl.col(f"{measure}_rung").cast(pl.UInt32))
        named.append((basis, pl.col(f"{measure}_n")))
    return (
        rows.select(
            "npi",
            "year",
            pl.coalesce(basis for basis, _ in named[:3]).alias("peer_basis"),
            pl.coalesce(n for _, n in named[:3]).alias("peer_n"),
        )
        .filter(pl.col("peer_n").is_not_null())
        .filter(pl.col("year") == pl.col("year").max().over("npi"))
        .drop("year")
    )


def _window(metrics: pl.DataFrame) -> pl.DataFrame:
    """Return npi and data_window_years, the years with payments in ascending order."""
    return (
        metrics.sort("npi", "year")
        .group_by("npi", maintain_order=True)
        .agg(pl.col("year").alias("data_window_years"))
    )


def _check_complete(metrics: pl.DataFrame, features: pl.DataFrame, universe: pl.DataFrame) -> None:
    for name, frame in {"universe": universe, "features": features}.items():
        if frame["npi"].n_unique() != frame.height:
            raise RiskflowError(
                f"score: {name} holds an NPI more than once", "run the stage that makes it again"
            )
    bare = universe.join(features, on="npi", how="anti").height
    if bare:
        raise RiskflowError(
            f"score: {bare} of {universe.height} NPIs have no graph features",
            "graph features and universe are of different runs or shards; run the graph stage again",
        )
    strangers = metrics.select(pl.col("npi").unique()).join(universe, on="npi", how="anti").height
    if strangers:
        raise RiskflowError(
            f"score: {strangers} NPIs have payments but are not in the universe of the shard",
            "metrics and universe are of different runs or shards; run the shard stage again",
        )
