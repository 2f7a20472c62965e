"""The page's section on what changed since an earlier run."""

from __future__ import annotations

import polars as pl

from riskflow.contracts.providers_scores import FACTORS
from riskflow.providers import report_data as data
from riskflow.report import Block, Chart, Column, Section, Table, charts
from riskflow.report.charts import Step

BIN_WIDTH = 5
MOVERS = 15
EFFECTS = (
    "Shapley values over the two runs' inputs: they add up exactly, and no order of the causes is preferred."
)


def changes_section(scored: pl.DataFrame, group_changes: pl.DataFrame | None) -> Section:
    """Return the section; `group_changes` (contract GROUP_CHANGES) adds what made the mean change."""
    edges = [float(edge) for edge in range(-100, 101, BIN_WIDTH)]
    changes = scored["score_change"]
    blocks: list[Block] = [
        Chart(
            "Change of the risk score",
            charts.histogram(
                edges, {"providers": charts.bin_counts(changes, edges)}, x_label="points", y_label="providers"
            ),
            alt=f"Histogram of {changes.count()} changes: {(changes > 0).sum()} rose, {(changes < 0).sum()} fell.",
            note=f"{changes.count():,} providers were scored in both runs.",
        )
    ]
    if group_changes is not None:
        blocks.extend(_causes(group_changes))
    risen = data.movers(scored, MOVERS)
    if risen.height:
        columns = [
            Column("who", "Provider", "lines"),
            Column("previous_risk_score", "Before", "number", digits=1),
            Column("risk_score", "Now", "number", digits=1),
            Column("score_change", "Change", "signed", digits=1),
            Column("rank_change", "Places up", "signed"),
            Column("reasons", "Why it is high now", "list"),
        ]
        blocks.append(Table("Risen most", risen, columns, cards=True))
    return Section("Since the earlier run", blocks=blocks)


def _causes(group_changes: pl.DataFrame) -> list[Block]:
    """Return the waterfall of the mean raw score of all providers, from the earlier run to this one."""
    names = (*FACTORS, "membership")
    blocks: list[Block] = []
    for row in group_changes.filter(pl.col("grouping") == "all").drop_nulls("r_raw_change").to_dicts():
        steps = [
            Step("earlier run", row["r_raw_before"], total=True),
            *(Step(name, row[f"r_raw_{name}"]) for name in names),
            Step("this run", row["r_raw_after"], total=True),
        ]
        told = ", ".join(f"{step.label} {step.value:+.3f}" for step in steps)
        blocks.append(
            Chart(
                "What changed the mean raw score",
                charts.waterfall(steps, digits=2),
                alt=f"Waterfall: {told}.",
                meaning=EFFECTS,
            )
        )
    return blocks
