"""The section of the members page on what changed since last year, or an earlier run, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.contracts.members_runs import (
    COMPARISON_BINS,
    COMPARISON_SUMMARY,
    DECOMPOSITION,
    DEFINITIONS,
    MOVED_VARIABLES,
    SCENARIOS,
)
from riskflow.receipts import Receipt
from riskflow.report import Block, Callout, Chart, Column, Headline, Number, Section, Table, charts

IDENTITY = (
    "Effects add up to the true change. The check is stored with every result; where it does not hold, the two runs "
    "have other members and the method is not exact for them."
)
INTERVAL = "95% bootstrap interval over members, unless the definition says another level."
ALL = "all"


@dataclass(frozen=True)
class Compared:
    """Comparison of two runs: COMPARISON_SUMMARY, _BINS and MOVED_VARIABLES."""

    summary: pl.DataFrame
    bins: pl.DataFrame
    moved: pl.DataFrame


@dataclass(frozen=True)
class Decomposed:
    """Decompositions: DECOMPOSITION, DEFINITIONS and SCENARIOS."""

    effects: pl.DataFrame
    definitions: pl.DataFrame
    scenarios: pl.DataFrame


@dataclass(frozen=True)
class Changes:
    """What changed, and `before`: what this year's run was compared with, in words."""

    compared: Compared | None
    decomposed: Decomposed | None
    before: str


def read_changes(
    comparison: Sequence[Path], decomposition: Sequence[Path], receipts: Sequence[Receipt]
) -> Changes | None:
    """Return what the artifacts say; none where nothing was compared or decomposed."""
    of_comparison = (COMPARISON_SUMMARY, COMPARISON_BINS, MOVED_VARIABLES)
    of_decomposition = (DECOMPOSITION, DEFINITIONS, SCENARIOS)
    compared = [artifacts.read(p, c) for p, c in zip(comparison, of_comparison, strict=bool(comparison))]
    effects = [
        artifacts.read(p, c) for p, c in zip(decomposition, of_decomposition, strict=bool(decomposition))
    ]
    if not (compared or effects):
        return None
    return Changes(
        Compared(*compared) if compared else None,
        Decomposed(*effects) if effects else None,
        _before(receipts),
    )


def _before(receipts: Sequence[Receipt]) -> str:
    named = [one.params.get("config.comparison.against", '""') for one in receipts if "run_id_a" in one.facts]
    return "the earlier run" if any(one != '""' for one in named) else "last year"


def changes_section(changes: Changes, labels: pl.DataFrame, top: int) -> Section:
    """Return the section. labels: variable, label of the CMS tables."""
    blocks: list[Block] = []
    if changes.compared:
        blocks += [*_compared(changes.compared, changes.before), *_moved(changes.compared.moved, labels, top)]
    if changes.decomposed:
        found = changes.decomposed
        blocks += _decomposed(found.effects, found.definitions, found.scenarios)
    return Section(
        "What changed", f"This run against {changes.before}: member by member, then by cause.", blocks
    )


def _compared(changes: Compared, before: str) -> Iterator[Block]:
    facts = changes.summary.row(0, named=True)
    yield Headline(
        [
            Number("In both", facts["matched"], f"of {facts['members']:,} members compared"),
            Number(f"Only in {before}" if "run" in before else f"Only {before}", facts["a_only"]),
            Number("Only in this run" if "run" in before else "Only this year", facts["b_only"]),
            Number("Increased", facts["increased"]),
            Number("Decreased", facts["decreased"]),
        ]
    )
    labels = [_bin_label(low, high) for low, high in changes.bins.select("low", "high").iter_rows()]
    counts = changes.bins["members"].to_list()
    yield Chart(
        "Change of the score per member",
        charts.bars(labels, counts, x_label="members of both"),
        alt="Members per change of score: "
        + ", ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True)),
    )


def _bin_label(low: float | None, high: float | None) -> str:
    if low is None:
        return f"below {high:g}"
    return f"{low:g} or more" if high is None else f"{low:g} to {high:g}"


def _moved(moved: pl.DataFrame, labels: pl.DataFrame, top: int) -> Iterator[Block]:
    rows = (
        moved.filter(pl.col("gained") + pl.col("lost") > 0)
        .sort(pl.col("gained") + pl.col("lost"), "variable", descending=[True, False])
        .head(top)
        .join(labels.select("variable", "label"), on="variable", how="left", maintain_order="left")
    )
    columns = [
        Column("variable", "Variable", "code"),
        Column("label", "What it is"),
        Column("kept", "Kept", "number"),
        Column("gained", "Gained", "number"),
        Column("lost", "Lost", "number"),
        Column("mean_diff", "Mean change of score", "signed", digits=3),
    ]
    yield Table("Variables that moved most", rows, columns, collapsed=True)


def _decomposed(effects: pl.DataFrame, definitions: pl.DataFrame, scenarios: pl.DataFrame) -> Iterator[Block]:
    whole = effects.filter(pl.col("dimension") == ALL)
    exact = whole.group_by("name", "view").agg(pl.col("identity_holds").all()).sort("name", "view")
    broken = exact.filter(~pl.col("identity_holds"))["name"].unique().sort().to_list()
    if broken:
        told = "the runs do not share one member set"
        yield Callout(f"Effects do not add up to the change in {', '.join(broken)}: {told}.", "warning")
    else:
        yield Callout("Every decomposition adds up to the true change.", "good")
    order = {
        name: place for place, name in enumerate(("factorial", "turnover", "marginal", "sequential", "grid"))
    }
    listed = sorted(definitions.iter_rows(named=True), key=lambda row: (order[row["method"]], row["name"]))
    tables = []
    for one in listed:
        title, mine = one["description"] or one["name"], scenarios.filter(pl.col("name") == one["name"])
        if one["method"] == "grid":
            yield _grid(title, mine.sort("position"))
            continue
        effects_of = effects.filter(pl.col("name") == one["name"])
        view = _drawn_view(effects_of)
        rows = effects_of.filter((pl.col("dimension") == ALL) & (pl.col("view") == view)).sort("position")
        yield _waterfall(title, view, rows, mine.sort("position"))
        tables.append(_effects_table(title, effects_of))
    yield from tables


def _drawn_view(effects: pl.DataFrame) -> str:
    """Return the view to draw: the Shapley values where there are some; the table has the others."""
    views: list[str] = effects["view"].unique().sort().to_list()
    return "shapley" if "shapley" in views else views[0]


def _waterfall(title: str, view: str, rows: pl.DataFrame, scenarios: pl.DataFrame) -> Chart:
    """Draw the effects and, below them, the change that they add up to; the levels are in the note."""
    steps = [charts.Step(row["effect"], row["value"] or 0.0) for row in rows.iter_rows(named=True)]
    steps.append(charts.Step("change", float(rows["total"][0] or 0.0), total=True))
    said = ", ".join(f"{step.label} {step.value:+.4f}" for step in steps)
    start = float(scenarios["value"][0])
    return Chart(
        title,
        charts.waterfall(steps, digits=4, x_label="change of the risk score", tones={"change": "ink"}),
        alt=f"Waterfall ({view}): {said}.",
        note=f"{view}; the first scenario's score is {start:.4f}.",
        meaning=IDENTITY,
    )


def _grid(title: str, scenarios: pl.DataFrame) -> Chart:
    labels, values = scenarios["scenario"].to_list(), scenarios["value"].to_list()
    return Chart(
        title,
        charts.bars(labels, values, x_label="mean risk score", digits=3),
        alt="Metric per scenario: " + ", ".join(f"{n} {v:.3f}" for n, v in zip(labels, values, strict=True)),
    )


def _effects_table(title: str, effects: pl.DataFrame) -> Table:
    rows = effects.with_columns(
        pl.when(pl.col("dimension") == ALL)
        .then(pl.lit("everybody"))
        .otherwise(pl.concat_str("dimension", pl.lit(": "), "segment"))
        .str.replace_all("_", " ")
        .alias("of"),
        pl.when("identity_holds").then(pl.lit("adds up")).otherwise(pl.lit("does not")).alias("check"),
        (pl.col("dimension") != ALL).alias("later"),
    ).sort("later", "dimension", "segment", "view", "position")
    columns = [
        Column("of", "Members"),
        Column("view", "Method"),
        Column("effect", "Effect"),
        Column("value", "Value", "signed", digits=4),
        Column("low", "From", "signed", digits=4, meaning=INTERVAL),
        Column("high", "To", "signed", digits=4),
        Column("total", "Of the change", "signed", digits=4),
        Column("check", "Check", meaning=IDENTITY),
    ]
    return Table(f"Effects: {title}", rows, columns, collapsed=True, filterable=True)
