"""The provider page: who stands out, why, how far to trust it, and what made it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import ReportStage, TiersSection
from riskflow.contracts.providers_scores import COMPONENTS, GROUP_CHANGES, SCORES, TIERS
from riskflow.contracts.providers_sources import BACKTEST, MATCHES
from riskflow.providers import report_data as data
from riskflow.providers.report_backtest import backtest_section
from riskflow.providers.report_changes import changes_section
from riskflow.quarantine import QUARANTINE
from riskflow.receipts import Receipt, load
from riskflow.report import (
    Block,
    Callout,
    Chart,
    Column,
    Definitions,
    Headline,
    Legend,
    Number,
    Page,
    Section,
    Table,
    charts,
    quality,
    run_facts,
)
from riskflow.report.words import listed, short_amount

TIER_TONES = {tier: tier.lower() for tier in TIERS}
COMPONENT_TONES = {name: f"tone{number}" for number, name in enumerate(COMPONENTS, 1)}
GROUPS_SHOWN = 12
BINS = 40
OWN_EXCLUSION = 100.0  # value of the exclusion component

SCORE = "Percent of the other scored providers with a smaller raw score. Providers with equal raw scores share it."
RAW = "The weighted sum of the components, 0 to 100: the five contributions add up to it exactly."
PEERS = "Providers of the same taxonomy, state and year; where they are too few, a wider group. Statistics are global."
COVERAGE = (
    "Share of the weights whose component could be measured. The weight of a missing one is shared out."
)
CAVEAT = "A score is a reason to look, not a finding: it says how far a provider differs from its peers."
AFTER = "Paid in calendar years spent wholly under the provider's own exclusion."
MEANINGS = {
    "billing": "Payments, also per claim, and claims per beneficiary above the peers' median; newer years count most.",
    "ownership": "Excluded owners up the ownership chain, by share held and distance.",
    "trajectory": "Growth of payments from one year to the next above the peers' median.",
    "exclusion": "100 for an own active exclusion, 80 for an excluded owner, 50 for one further up the chain.",
    "concentration": "Share of the largest program in the newest years, above one half.",
}


def run(
    *,
    scores: Path,
    backtest: Path | None = None,
    matches: Path | None = None,
    group_changes: Path | None = None,
    quarantine: list[Path],
    receipts: list[Path],
    output: Path,
    config: ReportStage,
) -> Receipt:
    """Write the page. Without a backtest, name matches or changes since an earlier run their sections are left out."""
    page = provider_page(
        artifacts.read(scores, SCORES),
        backtest=artifacts.read(backtest, BACKTEST) if backtest else None,
        matches=artifacts.read(matches, MATCHES) if matches else None,
        changes=artifacts.read(group_changes, GROUP_CHANGES) if group_changes else None,
        quarantined=[artifacts.read(path, QUARANTINE) for path in quarantine],
        receipts=[load(path) for path in receipts],
        config=config,
    )
    page.write(output)
    return Receipt(counts={"sections": len(page.sections)})


def provider_page(
    scores: pl.DataFrame,
    *,
    backtest: pl.DataFrame | None,
    matches: pl.DataFrame | None,
    changes: pl.DataFrame | None,
    quarantined: Sequence[pl.DataFrame],
    receipts: Sequence[Receipt],
    config: ReportStage,
) -> Page:
    """Return the page of published scores (contract SCORES) and what is known about the run."""
    scored = data.scored_rows(scores)
    settings = config_values(receipts)
    sections = [
        _glance(scores, scored, settings),
        _distribution(scores, scored, config.tiers),
        _places(scored),
        _contributions(scored, settings),
        _top(scores, scored, config.report.top),
        *([changes_section(scored, changes)] if scored["score_change"].count() else []),
        *([backtest_section(backtest, settings)] if backtest is not None else []),
        *([_matches(matches)] if matches is not None else []),
        quality(receipts, quarantined),
        _definitions(),
    ]
    when = json.loads(settings["scoring.date"]) if "scoring.date" in settings else ""
    return Page(
        title="Provider risk",
        lead=f"{scored.height:,} billing providers against their peers{f' as of {when}' if when else ''}: "
        "who stands out, why, and how far to trust it.",
        facts=run_facts(receipts),
        sections=sections,
        track="providers",
    )


def config_values(receipts: Sequence[Receipt]) -> dict[str, str]:
    """Return the config keys that the stages read, as JSON texts."""
    found = {key: value for receipt in receipts for key, value in receipt.params.items()}
    return {key.removeprefix("config."): value for key, value in found.items() if key.startswith("config.")}


def _glance(scores: pl.DataFrame, scored: pl.DataFrame, settings: dict[str, str]) -> Section:
    paid = scores.filter(pl.col("payments_after_exclusion_cents") > 0)
    dollars = int(paid["payments_after_exclusion_cents"].sum()) / 100
    excluded = scores.filter(pl.col("exclusion") == OWN_EXCLUSION).height
    high = scored.filter(pl.col("risk_label") == "High").height
    coverage = scored["coverage"].mean()
    numbers = [
        Number("Providers scored", scored.height, f"of {scores.height:,} in the data"),
        Number("In tier High", high, "the first to look at", tone="high"),
        Number("Excluded themselves", excluded, "on the scoring date", tone="elevated"),
        Number(
            "Paid while excluded", f"${short_amount(dollars)}", f"to {paid.height:,} providers", AFTER, "bad"
        ),
        Number(
            "Measured",
            f"{100 * coverage:.0f}%" if isinstance(coverage, float) else "–",
            "mean coverage",
            COVERAGE,
        ),
    ]
    blocks: list[Block] = [Headline(numbers)]
    if settings.get("source.kind") == '"demo"':
        blocks.append(
            Callout("Generated demo data: no provider, name or payment on this page is real.", "warning")
        )
    if settings.get("scoring.method") == '"claidex"':
        blocks.append(
            Callout("Scored by the predecessor's formulas (method claidex), for comparison.", "warning")
        )
    blocks.append(Callout(CAVEAT))
    return Section("At a glance", blocks=blocks)


def _distribution(scores: pl.DataFrame, scored: pl.DataFrame, tiers: TiersSection) -> Section:
    top = max(float(scored["r_raw"].max() or 0.0), 1.0)  # type: ignore[arg-type]
    edges = [top * number / BINS for number in range(BINS + 1)]
    series = {
        t: charts.bin_counts(scored.filter(pl.col("risk_label") == t)["r_raw"], edges)
        for t in reversed(TIERS)
    }
    flags, bases, reasons = data.flag_counts(scores), data.peer_bases(scored), data.not_scored_reasons(scores)
    names = [flag.replace("_", " ") for flag in flags["flag"]]
    blocks: list[Block] = [
        Chart(
            "Raw scores and their tiers",
            charts.histogram(
                edges, series, x_label="raw score", y_label="providers", tones=TIER_TONES, wide=True
            ),
            alt=f"Histogram of {scored.height} raw scores up to {top:.0f} by tier; half are below {_median(scored)}.",
            note=f"Tiers begin at percentile {tiers.high:g}, {tiers.elevated:g} and {tiers.moderate:g}.",
            meaning=RAW,
            wide=True,
        ),
        Chart(
            "Flags raised",
            charts.bars(names, flags["providers"].to_list(), x_label="providers"),
            alt=listed("Providers per flag", names, flags["providers"]),
        )
        if flags.height
        else Callout("No flag was raised."),
        Table(
            "Compared with",
            bases.with_columns(pl.col("basis").str.replace_all("+", ", ", literal=True)),
            [
                Column("basis", "Peer group", meaning=PEERS),
                Column("providers", "Providers", "number"),
                Column("median_peers", "Median size", "number"),
            ],
            half=True,
        ),
    ]
    if reasons.height:
        columns = [Column("reason", "Why there is no score"), Column("providers", "Providers", "number")]
        blocks.append(Table("Not scored", reasons, columns))
    return Section(
        "Scores",
        "The raw score is what a provider's own numbers add up to; the risk score is its place among all.",
        blocks,
    )


def _places(scored: pl.DataFrame) -> Section:
    blocks: list[Block] = []
    for group, name in (("peer_state", "state"), ("peer_taxonomy", "taxonomy")):
        rows = data.tiers_by(scored, group, GROUPS_SHOWN)
        labels = rows["label"].to_list()
        svg = charts.stacked_bars(labels, {tier: rows[tier].to_list() for tier in TIERS}, tones=TIER_TONES)
        blocks.append(
            Chart(
                f"Tiers by {name}",
                svg,
                alt=listed(
                    f"Percent of providers in tier High by {name}",
                    labels,
                    (100 * rows["high_share"]).round(0),
                ),
                note=f"The {GROUPS_SHOWN} with the most providers; peers are compared within state and taxonomy first.",
            )
        )
    for group, name in (("peer_state", "state"), ("peer_taxonomy", "taxonomy")):
        blocks.append(_place_table(data.tiers_by(scored, group, scored.height), name))
    return Section(
        "States and taxonomies", "Where the tiers fall. Every bar is all providers of that place.", blocks
    )


def _place_table(rows: pl.DataFrame, name: str) -> Table:
    columns = [
        Column("label", name.capitalize()),
        Column("providers", "Providers", "number"),
        *(Column(tier, tier, "number") for tier in TIERS),
        Column("high_share", "High", "percent", digits=1),
        Column("median_r_raw", "Median raw score", "number", digits=2, meaning=RAW),
    ]
    return Table(f"Every {name}", rows, columns, filterable=True, collapsed=True)


def _contributions(scored: pl.DataFrame, settings: dict[str, str]) -> Section:
    facts = data.component_facts(scored)
    weights = [float(settings[f"weights.{n}"]) if f"weights.{n}" in settings else None for n in COMPONENTS]
    facts = facts.with_columns(pl.Series("weight", weights, dtype=pl.Float64))
    by_tier = data.contributions_by_tier(scored)
    steps = [charts.Step(row["component"], row["mean_contribution"] or 0.0) for row in facts.to_dicts()]
    steps.append(charts.Step("mean raw score", sum(step.value for step in steps), total=True))
    blocks: list[Block] = [
        *_idle_remarks(scored),
        Chart(
            "Mean contribution by tier",
            charts.stacked_bars(
                TIERS, by_tier, share=False, x_label="points of raw score", tones=COMPONENT_TONES
            ),
            alt="; ".join(
                listed(f"Mean points from {name} by tier", TIERS, values) for name, values in by_tier.items()
            ),
        ),
        Chart(
            "What the mean raw score is made of",
            charts.waterfall(
                steps, digits=2, x_label="points", tones=COMPONENT_TONES | {"mean raw score": "ink"}
            ),
            alt=listed("Mean points", [s.label for s in steps], [round(s.value, 2) for s in steps]),
        ),
        Table(
            "Components",
            facts.with_columns(meaning=pl.Series([MEANINGS[name] for name in COMPONENTS])),
            [
                Column("component", "Component"),
                Column("weight", "Weight", "number", digits=2),
                Column("measured", "Measured for", "percent", meaning=COVERAGE),
                Column("mean", "Mean, 0 to 100", "number", digits=1),
                Column("mean_contribution", "Mean points", "number", digits=2),
                Column("largest", "Largest part for", "number"),
                Column("meaning", "What it measures"),
            ],
            cards=True,
        ),
    ]
    return Section(
        "Contributions", "Five components add up to the raw score. Nothing else enters it.", blocks
    )


def _idle_remarks(scored: pl.DataFrame) -> Iterator[Callout]:
    for row in data.idle_components(scored).to_dicts():
        who = f"{row['providers']:,} of {row['of']:,} providers"
        text = f"{row['component']} is {row['value']:g} for {who}: it adds points, but hardly moves a rank."
        yield Callout(text, "warning")


def _top(scores: pl.DataFrame, scored: pl.DataFrame, top: int) -> Section:
    rows = data.top_providers(scored, top)
    scale = max((sum(v or 0.0 for v in row.values()) for row in rows["contributions"]), default=0.0) or 1.0
    columns = [
        Column("rank", "Rank", "number"),
        Column("who", "Provider", "lines"),
        Column("risk_score", "Score", "number", digits=1, meaning=SCORE),
        Column("contributions", "Contributions", "stack", tones=COMPONENT_TONES, scale=scale, meaning=RAW),
        Column("reasons", "Why", "list"),
    ]
    if rows["score_change"].count():
        columns.append(Column("score_change", "Change", "signed", digits=1))
    blocks: list[Block] = [
        Legend(COMPONENT_TONES),
        Table(f"The {rows.height} highest ranked", rows, columns, filterable=True, cards=True),
    ]
    paid = data.paid_after_exclusion(scores, top)
    if paid.height:
        after = [
            Column("who", "Provider", "lines"),
            Column("paid_after", "Paid while excluded", "money", meaning=AFTER),
            Column("risk_label", "Tier", "tag", tones=TIER_TONES),
            Column("rank", "Rank", "number"),
        ]
        blocks.append(
            Table("Paid while excluded", paid, after, note="The strongest signal there is.", cards=True)
        )
    return Section(
        "Highest ranked",
        "Each with its reasons, the largest contribution first. `riskflow explain provider NPI` tells the rest.",
        blocks,
    )


def _matches(matches: pl.DataFrame) -> Section:
    counts = (
        matches.group_by("tier", "scored")
        .agg(pl.len().alias("rows"), pl.col("exclusion_id").n_unique().alias("exclusions"))
        .sort("tier")
    )
    meanings = {
        "A": "by NPI",
        "B": "by name and birth date",
        "C": "by name and state, unique on both sides",
        "D": "by name only",
    }
    shown = counts.with_columns(
        pl.col("tier").replace_strict(meanings, default=None, return_dtype=pl.String).alias("meaning"),
        pl.when("scored").then(pl.lit("scored")).otherwise(pl.lit("candidate, not scored")).alias("use"),
    )
    columns = [
        Column("tier", "Tier"),
        Column("meaning", "Matched"),
        Column("rows", "Candidates", "number"),
        Column("exclusions", "Exclusions", "number"),
        Column("use", "Use"),
    ]
    return Section(
        "Exclusion matches",
        "Most exclusions have no NPI. Those found by name are for a person to check; they never enter a score.",
        [Table("Candidates by how they were matched", shown, columns)],
    )


def _definitions() -> Section:
    items = [
        ("Risk score", SCORE),
        ("Raw score", RAW),
        ("Tier", "A range of risk scores: High, Elevated, Moderate, Low."),
        ("Peers", PEERS),
        ("Coverage", COVERAGE),
        ("Paid while excluded", AFTER),
    ]
    return Section("Words used here", blocks=[Definitions(items)])


def _median(scored: pl.DataFrame) -> str:
    value = scored["r_raw"].median()
    return f"{value:.1f}" if isinstance(value, float) else "no value"
