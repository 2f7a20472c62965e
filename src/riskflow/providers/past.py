"""The score as of a past day, made by the same functions as today's, from what was known then.

Payments of years that had ended, exclusions that had begun (without later reinstatements and waivers), owners
of that day. The registry has no history: taxonomy and state are today's.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from riskflow.config.providers import BacktestStage, ScoreStage
from riskflow.providers.exclusions import known_on, newest_active
from riskflow.providers.graph.build import build_graph, registered_names
from riskflow.providers.graph.embedded import EmbeddedGraph
from riskflow.providers.graph.interface import Reach
from riskflow.providers.method import method_of
from riskflow.providers.metrics import program_totals, yearly_metrics
from riskflow.providers.reference import peer_reference
from riskflow.providers.score import score_shard
from riskflow.providers.universe import universe

NPIS_AT_ONCE = 200_000


def payments_known_on(payments: pl.LazyFrame, as_of: dt.date) -> pl.LazyFrame:
    """Return the payments of years that had ended on a day (or end on it)."""
    last = as_of.year if (as_of.month, as_of.day) == (12, 31) else as_of.year - 1
    return payments.filter(pl.col("year") <= last)


def scores_as_of(
    payments: pl.LazyFrame,
    registry: pl.LazyFrame,
    exclusions: pl.DataFrame,
    ownership: pl.DataFrame,
    config: BacktestStage,
) -> pl.DataFrame:
    """Return npi, r_raw of the providers that could be scored on `config.backtest.as_of`, sorted by npi."""
    as_of = config.backtest.as_of
    scoring = config.scoring.model_copy(update={"date": as_of})
    then = ScoreStage(
        scoring=scoring, weights=config.weights, components=config.components, peers=config.peers
    )
    paid, window = payments_known_on(payments, as_of), config.components.window_years
    metrics = yearly_metrics(paid, registry, last_year=as_of.year, window_years=window)
    newest = config.components.concentration_years
    programs = program_totals(paid, last_year=as_of.year, window_years=window, newest_years=newest)
    reference = peer_reference(metrics, method_of(scoring, config.peers))
    listed = known_on(exclusions, as_of)
    backend = _graph_as_of(registry, listed, ownership, config)
    billers = metrics.select(pl.col("npi").unique().sort())
    known = registry.join(billers.lazy(), on="npi", how="semi").collect()
    everybody = universe(known, billers, listed, ownership).join(billers, on="npi", how="semi")
    parts = [pl.DataFrame(schema={"npi": pl.Int64, "r_raw": pl.Float64})]
    for part in everybody.iter_slices(NPIS_AT_ONCE):
        npis = part.select("npi")
        scored = score_shard(
            metrics.join(npis, on="npi", how="semi"),
            programs.join(npis, on="npi", how="semi"),
            backend.features(part["npi"], Reach.of(config.graph)),
            part,
            reference,
            then,
        )
        parts.append(scored.select("npi", "r_raw").drop_nulls())
    return pl.concat(parts).sort("npi")


def _graph_as_of(
    registry: pl.LazyFrame, listed: pl.DataFrame, ownership: pl.DataFrame, config: BacktestStage
) -> EmbeddedGraph:
    as_of = config.backtest.as_of
    active = newest_active(listed, as_of, config.exclusions.waivers_count)
    names = registered_names(registry, ownership, active)
    backend = EmbeddedGraph()
    backend.load(build_graph(ownership, active, names, config.graph, as_of))
    return backend
