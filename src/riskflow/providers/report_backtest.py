"""The page's section on the backtest: a past score against the exclusions that came after it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl

from riskflow.report import Block, Callout, Chart, Column, Headline, Number, Section, Table, charts
from riskflow.report.charts import Interval

FEW_POSITIVES = 30
BASELINES = {"size_only": "size only", "exclusion_history_only": "exclusion history only"}
METRICS = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "precision_at_k": "precision",
    "recall_at_k": "recall",
    "lift_at_k": "lift",
}
ROC = "Chance that a provider excluded later had a higher score than one that was not; 0.5 is a coin."
PR = "Mean precision over the excluded; what chance gives is their share of all providers."
LIFT = "How many times more of the list's providers were excluded later than of all providers; 1 is chance."
INTERVAL = "95% bootstrap interval over providers."


def backtest_section(backtest: pl.DataFrame, settings: Mapping[str, str]) -> Section:
    """Return the section of a backtest (contract BACKTEST); undefined metrics are shown as a dash, not drawn."""
    population, positives = backtest.select(pl.col("population", "positives").max().fill_null(0)).row(0)
    named = backtest.sort(pl.col("scorer").is_in(list(BASELINES)), "scorer", "metric", "k").with_columns(
        pl.col("scorer").replace(BASELINES)
    )
    drawn = named.drop_nulls(["value", "low", "high"])
    blocks: list[Block] = [Headline(_numbers(backtest, population, positives))]
    if positives < FEW_POSITIVES:
        blocks.append(
            Callout(
                f"Only {positives} providers were excluded within the horizon: read the intervals, not the values.",
                "warning",
            )
        )
    areas = drawn.filter(pl.col("metric") == "roc_auc")
    if areas.height:
        blocks.append(_areas(areas))
    lifts = drawn.filter(pl.col("metric") == "lift_at_k")
    if lifts.height:
        blocks.append(_lifts(lifts))
    blocks.append(_all_metrics(named))
    return Section("Backtest", _intro(settings), blocks)


def _intro(settings: Mapping[str, str]) -> str:
    as_of, months = settings.get("backtest.as_of"), settings.get("backtest.horizon_months")
    when = f" on {json.loads(as_of)}" if as_of else " on a past day"
    until = f" within {months} months" if months else " later"
    return (
        f"The score as it would have been{when}, from what was known then, against exclusions{until}. "
        "An exclusion is one outcome among many, and comes years after its cause."
    )


def _numbers(backtest: pl.DataFrame, population: int, positives: int) -> list[Number]:
    numbers = [
        Number("Providers at risk", population, "scored, and not excluded on that day"),
        Number(
            "Excluded later", positives, f"{100 * positives / population:.2f}% of them" if population else ""
        ),
    ]
    best = backtest.filter(~pl.col("scorer").is_in(list(BASELINES)), pl.col("metric") == "roc_auc")
    for row in best.drop_nulls(["value", "low", "high"]).head(1).to_dicts():
        between = f"{row['low']:.2f} to {row['high']:.2f}"
        numbers.append(
            Number(f"ROC-AUC of {row['scorer']}", f"{row['value']:.2f}", between, f"{ROC} {INTERVAL}")
        )
    return numbers


def _areas(rows: pl.DataFrame) -> Chart:
    labels = rows["scorer"].to_list()
    values = [Interval(*row) for row in rows.select("value", "low", "high").iter_rows()]
    told = ", ".join(
        f"{label} {v.value:.2f} ({v.low:.2f} to {v.high:.2f})"
        for label, v in zip(labels, values, strict=True)
    )
    return Chart(
        "Does it rank the excluded higher?",
        charts.intervals(labels, {"ROC-AUC": values}, level=0.5, x_label="ROC-AUC; dashed: chance"),
        alt=f"ROC-AUC with intervals: {told}.",
        meaning=f"{ROC} {INTERVAL}",
    )


def _lifts(rows: pl.DataFrame) -> Chart:
    sizes = sorted(rows["k"].unique().to_list())
    series = {}
    for scorer in rows["scorer"].unique(maintain_order=True):
        mine = {row["k"]: row for row in rows.filter(pl.col("scorer") == scorer).to_dicts()}
        if len(mine) == len(sizes):
            series[scorer] = [Interval(mine[k]["value"], mine[k]["low"], mine[k]["high"]) for k in sizes]
    told = "; ".join(
        f"{name}: " + ", ".join(f"first {k} {v.value:.1f}" for k, v in zip(sizes, values, strict=True))
        for name, values in series.items()
    )
    return Chart(
        "Lift of the list's head",
        charts.intervals(
            [f"first {k:,}" for k in sizes], series, level=1.0, digits=1, x_label="lift; dashed: chance"
        ),
        alt=f"Lift by size of the list head. {told}.",
        meaning=f"{LIFT} {INTERVAL}",
    )


def _all_metrics(rows: pl.DataFrame) -> Table:
    shown = rows.with_columns(
        pl.col("metric").replace(METRICS),
        pl.when(pl.col("k") > 0).then(pl.col("k")).alias("k"),
        pl.when(pl.col("low").is_not_null())
        .then(pl.format("{} to {}", pl.col("low").round(3), pl.col("high").round(3)))
        .alias("interval"),
    )
    columns = [
        Column("scorer", "Score"),
        Column(
            "metric",
            "Metric",
            meaning=f"{PR} Ties share their rank: a list that cuts a tie takes its expected part.",
        ),
        Column("k", "First", "number"),
        Column("value", "Value", "number", digits=3),
        Column("interval", "Interval", meaning=INTERVAL),
    ]
    return Table("All metrics of the backtest", shown, columns, filterable=True, collapsed=True)
