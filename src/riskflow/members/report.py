"""The members page: how high the scores are, what drives and what moved them, transfers, and how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.members import MembersReportStage
from riskflow.contracts.members_runs import (
    TRANSFER_POOLS,
    TRANSFERS,
)
from riskflow.contracts.members_scores import REJECTED, SCORES
from riskflow.members import report_data as data
from riskflow.members.report_changes import Changes, changes_section, read_changes
from riskflow.members.tables.load import load as load_tables
from riskflow.quarantine import QUARANTINE
from riskflow.receipts import Receipt, load
from riskflow.report import (
    Block,
    Callout,
    Chart,
    Column,
    Definitions,
    Headline,
    Number,
    Page,
    Section,
    Table,
    charts,
    quality,
    run_facts,
)
from riskflow.report.words import listed, short_amount

METAL_TONES = {metal: f"tone{number}" for number, metal in enumerate(data.METALS, 1)}
HISTOGRAM_TOP = 3.0
BINS = 30
ISSUERS_SHOWN = 12
HALF_A_CENT = 0.005

ADJUSTED = (
    "The sum of the coefficients of the member's variables, times the cost-sharing (CSR) factor of the plan."
)
MEAN = "Mean by member months: a member of six months counts half of one of twelve."
TRANSFER = (
    "HHS state payment transfer formula; positive: the plan receives. The high-cost risk pool is not in it."
)
POINTS = "What the variable adds to the mean raw score, by member months."


@dataclass(frozen=True)
class Parts:
    """The artifacts behind the page; transfers (plans, pools) and changes are absent where not computed."""

    scores: pl.DataFrame
    rejected: pl.DataFrame
    labels: pl.DataFrame
    transfers: tuple[pl.DataFrame, pl.DataFrame] | None
    changes: Changes | None


def run(
    *,
    scores: Path,
    rejected: Path,
    tables: list[Path],
    transfers: list[Path],
    comparison: list[Path],
    decomposition: list[Path],
    quarantine: list[Path],
    receipts: list[Path],
    output: Path,
    config: MembersReportStage,
) -> Receipt:
    """Write the page.

    `tables`: the files of the CMS set that scored. `transfers`: plans and pools; `comparison`: summary, bins and
    moved variables; `decomposition`: effects, definitions and scenarios. An empty list leaves the section out.
    """
    told = [load(path) for path in receipts]
    parts = Parts(
        scores=artifacts.read(scores, SCORES),
        rejected=artifacts.read(rejected, REJECTED, ["kind", "reason"]),
        labels=data.variable_labels(load_tables(tables[0].parent)),
        transfers=_read_transfers(transfers),
        changes=read_changes(comparison, decomposition, told),
    )
    page = members_page(
        parts,
        quarantined=[artifacts.read(path, QUARANTINE) for path in quarantine],
        receipts=told,
        config=config,
    )
    page.write(output)
    return Receipt(counts={"sections": len(page.sections)})


def _read_transfers(paths: Sequence[Path]) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    if not paths:
        return None
    plans, pools = paths
    return artifacts.read(plans, TRANSFERS), artifacts.read(pools, TRANSFER_POOLS)


def members_page(
    parts: Parts,
    *,
    quarantined: Sequence[pl.DataFrame],
    receipts: Sequence[Receipt],
    config: MembersReportStage,
) -> Page:
    """Return the page of a run's artifacts and receipts."""
    top = config.report.top
    year, vintage, version = parts.scores.select("benefit_year", "vintage", "model_version").row(0)
    sections = [
        _glance(parts, receipts),
        _scores(parts.scores),
        _drivers(parts, top),
        *([changes_section(parts.changes, parts.labels, top)] if parts.changes else []),
        *([_transfers(*parts.transfers)] if parts.transfers else []),
        _not_counted(parts.rejected),
        quality(data.by_table(receipts), quarantined),
        _definitions(),
    ]
    return Page(
        title="Member risk",
        lead=f"{parts.scores['member_id'].n_unique():,} members scored for benefit year {year} by the HHS-HCC model "
        f"{version} (CMS tables {vintage}): how high, why, and what changed.",
        facts=run_facts(receipts),
        sections=sections,
        track="members",
    )


def _glance(parts: Parts, receipts: Sequence[Receipt]) -> Section:
    scores, people = parts.scores, parts.scores["member_id"].n_unique()
    with_hcc = data.members_with(scores, rf"{data.HCC}|_X_SEVERITY[2-5]")
    numbers = [
        Number("Members", people, f"{scores.height:,} plan spans"),
        Number(
            "Mean risk score", f"{data.mean_score(scores) or 0:.3f}", "CSR-adjusted", f"{ADJUSTED} {MEAN}"
        ),
        Number("With a payment HCC", f"{100 * with_hcc / people:.1f}%", f"{with_hcc:,} members"),
    ]
    if parts.changes and parts.changes.compared:
        summary = parts.changes.compared.summary.row(0, named=True)
        numbers.append(
            Number(
                f"Change since {parts.changes.before}",
                f"{summary['mean_diff'] or 0:+.3f}".replace("-", "−"),
                f"mean over {summary['matched']:,} members of both",
            )
        )
    if parts.transfers:
        moved = float(parts.transfers[1].sort("state", "market", "pool")["transferred"].sum())
        numbers.append(
            Number("Transferred", f"${short_amount(moved)}", "between plans, balanced to zero", TRANSFER)
        )
    blocks: list[Block] = [Headline(numbers), *_remarks(receipts)]
    return Section("At a glance", blocks=blocks)


def _remarks(receipts: Sequence[Receipt]) -> list[Callout]:
    found = []
    params = {key: value for receipt in receipts for key, value in receipt.params.items()}
    if params.get("config.source.kind") == '"demo"':
        found.append(
            Callout("Generated demo data: no member, plan or premium on this page is real.", "warning")
        )
    filters = {str(r.facts["claim_filter"]) for r in receipts if "claim_filter" in r.facts}
    found += [Callout(f"Which claims count: {text}.") for text in sorted(filters)]
    return found


def _scores(scores: pl.DataFrame) -> Section:
    edges = [HISTOGRAM_TOP * number / BINS for number in range(BINS + 1)]
    by_metal, by_band, by_model = data.metals(scores), data.bands(scores), data.models(scores)
    drawn = [("metal", "metal", by_metal), ("age", "age_band", by_band)]
    series = {
        metal: charts.bin_counts(scores.filter(pl.col("metal") == metal)[data.SCORE], edges)
        for metal in by_metal["metal"]
    }
    beyond = scores.filter(pl.col(data.SCORE) > HISTOGRAM_TOP).height
    blocks: list[Block] = [
        Chart(
            "Scores by metal",
            charts.histogram(
                edges,
                series,
                x_label="CSR-adjusted score",
                y_label="plan spans",
                tones=METAL_TONES,
                wide=True,
            ),
            alt=f"Histogram of {scores.height} scores from 0 to {HISTOGRAM_TOP:g} by metal level.",
            note=f"{beyond:,} of {scores.height:,} spans lie above {HISTOGRAM_TOP:g}.",
            meaning=ADJUSTED,
            wide=True,
        ),
        *(_spread(title, rows, key) for title, key, rows in drawn),
        *(_group_table(title, rows, key) for title, key, rows in (*drawn, ("model", "model", by_model))),
    ]
    return Section("Scores", "One score per member and plan span.", blocks)


def _spread(title: str, rows: pl.DataFrame, key: str) -> Chart:
    quantiles = rows.select("p10", "p25", "p50", "p75", "p90").rows()
    labels = rows[key].to_list()
    return Chart(
        f"Spread by {title}",
        charts.ranges(labels, quantiles, x_label="CSR-adjusted score"),
        alt=listed(f"Median score by {title}", labels, rows["p50"].round(3)),
        note="Bar: the middle half; line: from the 10th to the 90th percentile; gap: the median.",
    )


def _group_table(title: str, rows: pl.DataFrame, key: str) -> Table:
    columns = [
        Column(key, title.capitalize()),
        Column("members", "Members", "number"),
        Column("spans", "Spans", "number"),
        Column("member_months", "Member months", "number"),
        Column("mean", "Mean", "number", digits=3, meaning=MEAN),
        Column("p50", "Median", "number", digits=3),
        Column("p90", "90th percentile", "number", digits=3),
    ]
    return Table(f"By {title}", rows, columns, collapsed=title != "metal")


def _drivers(parts: Parts, top: int) -> Section:
    drawn: list[Block] = []
    tables: list[Block] = []
    for title, pattern in (("HCCs", data.HCC), ("drug categories", data.DRUG)):
        rows = data.top_variables(parts.scores, parts.labels, pattern, top)
        if rows.is_empty():
            tables.append(Callout(f"No score has {title}."))
            continue
        rows = rows.with_columns(pl.col("variable").str.strip_prefix("HHS_"))
        labels = rows["variable"].to_list()
        drawn.append(
            Chart(
                f"Most frequent {title}",
                charts.bars(labels, rows["members"].to_list(), x_label="members"),
                alt=listed("Members per variable", labels, rows["members"]),
            )
        )
        tables.append(Table(f"The {rows.height} most frequent {title}", rows, _VARIABLE_COLUMNS, cards=True))
    return Section(
        "What drives the scores",
        "Diagnoses become HCCs, hierarchies keep the severest, groups count once. `riskflow explain member ID` "
        "tells it for one member.",
        [*drawn, *tables],
    )


_VARIABLE_COLUMNS = [
    Column("variable", "Variable", "code"),
    Column("label", "What it is"),
    Column("members", "Members", "number"),
    Column("share", "Share", "percent", digits=1),
    Column("coefficient", "Mean coefficient", "number", digits=3),
    Column("points", "Points", "number", digits=4, meaning=POINTS),
]


def _transfers(plans: pl.DataFrame, pools: pl.DataFrame) -> Section:
    rows, owners = data.states(pools), data.issuers(plans)
    shown = (
        owners
        if owners.height <= ISSUERS_SHOWN
        else pl.concat([owners.head(ISSUERS_SHOWN // 2), owners.tail(ISSUERS_SHOWN // 2)])
    )
    labels = shown["issuer"].to_list()
    off = float(rows["balance"].abs().max() or 0.0)  # type: ignore[arg-type]
    imbalance = "less than a cent" if off < HALF_A_CENT else f"${off:,.2f}"
    blocks: list[Block] = [
        Callout(f"{rows.height} pools, each balanced to zero: the largest imbalance is {imbalance}.", "good"),
        Chart(
            "Net transfer per issuer",
            charts.bars(
                labels,
                shown["transfer"].to_list(),
                x_label="dollars",
                tones={
                    name: "good" if value >= 0 else "bad"
                    for name, value in zip(labels, shown["transfer"], strict=True)
                },
                wide=True,
            ),
            alt=listed("Net transfer in dollars per issuer", labels, shown["transfer"].round(0)),
            note="Right: receives; left: pays."
            + (" The largest on both sides." if shown.height < owners.height else ""),
            meaning=TRANSFER,
            wide=True,
        ),
        Table(
            "Pools",
            rows.with_columns(
                pl.when(pl.col("balance").abs() < HALF_A_CENT)
                .then(0.0)
                .otherwise(pl.col("balance"))
                .alias("balance")
            ),
            [
                Column("state", "State"),
                Column("market", "Market"),
                Column("pool", "Pool"),
                Column("billable_months", "Billable months", "number"),
                Column("average_score", "Average score", "number", digits=3),
                Column("average_premium", "Average premium", "money", digits=2),
                Column("transferred", "Transferred", "money"),
                Column("per_month", "Per month", "money", digits=2),
                Column("balance", "Balance", "money", digits=2),
            ],
        ),
        Table(
            "Every plan and rating area",
            plans,
            [
                Column("plan_id", "Plan", "code"),
                Column("rating_area", "Area", "number"),
                Column("billable_months", "Billable months", "number", digits=1),
                Column("plrs", "Score", "number", digits=3),
                Column("arf", "Rating factor", "number", digits=3),
                Column("gcf", "Cost factor", "number", digits=3),
                Column("average_premium", "Premium", "money", digits=2),
                Column("transfer_per_month", "Per month", "signed", digits=2),
                Column("transfer", "Transfer", "signed"),
            ],
            filterable=True,
            collapsed=True,
        ),
    ]
    return Section(
        "Transfers", "Plans with less risk than their premiums allow for pay those with more.", blocks
    )


def _not_counted(rejected: pl.DataFrame) -> Section:
    rows = data.rejected_reasons(rejected)
    columns = [
        Column("kind", "Table"),
        Column("reason", "Reason", "code"),
        Column("because", "What it says"),
        Column("rows", "Rows", "number"),
    ]
    return Section(
        "What did not count",
        "Rows that were read well but that the model's own rules leave out. Each is in rejected.parquet.",
        [Table("Diagnoses and drugs that did not count", rows, columns)],
    )


def _definitions() -> Section:
    return Section(
        "Words used here",
        blocks=[
            Definitions(
                [
                    ("Risk score", ADJUSTED),
                    ("HCC", "Hierarchical condition category: a group of diagnoses that the model pays for."),
                    ("RXC", "Drug category, of adults only."),
                    (
                        "CSR factor",
                        "Cost-sharing reduction: plans that pay more of the bill induce more use.",
                    ),
                    ("Mean", MEAN),
                    ("Transfer", TRANSFER),
                ]
            )
        ],
    )
