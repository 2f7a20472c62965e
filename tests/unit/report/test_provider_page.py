"""The provider page: what it shows follows from the scores, and it stands on its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from riskflow.config.providers import ReportSection, ReportStage, TiersSection
from riskflow.contracts.providers_scores import COMPONENTS, FACTORS, GROUP_CHANGES, TIERS
from riskflow.contracts.providers_sources import MATCHES
from riskflow.providers import report, report_data
from riskflow.receipts import Receipt, load
from riskflow.report import Callout, Chart, Headline, Number, Section, Table
from tests.unit.report.synthetic import backtest_frame, quarantine_frame, results_folder, scores_frame
from tests.unit.report.test_page import outline

CONFIG = ReportStage(report=ReportSection(top=7), tiers=TiersSection())
SCORES = scores_frame()
SCORED = report_data.scored_rows(SCORES)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results_folder(tmp_path_factory.mktemp("run")) / "providers"


@pytest.fixture(scope="module")
def html(results: Path) -> str:
    receipt = report.run(
        scores=results / "scores.parquet",
        backtest=results / "backtest.parquet",
        quarantine=[results / "quarantine" / "payments.parquet"],
        receipts=sorted((results / "receipts").glob("*.json")),
        output=results / "report.html",
        config=CONFIG,
    )
    assert receipt.counts["sections"] > 8
    return (results / "report.html").read_text()


@cache
def plain_page() -> dict[str, Section]:
    return page()


def page(scores: pl.DataFrame = SCORES, **parts: Any) -> dict[str, Section]:
    """Return the sections by title."""
    known: dict[str, Any] = {
        "backtest": None,
        "matches": None,
        "changes": None,
        "quarantined": [],
        "receipts": [],
    }
    return {s.title: s for s in report.provider_page(scores, **(known | parts), config=CONFIG).sections}


def blocks(section: Section, kind: type) -> list[Any]:
    return [block for block in section.blocks if isinstance(block, kind)]


def test_the_page_is_whole_and_safe(html: str) -> None:
    parsed = outline(html)
    assert parsed.open == []
    assert [name for name, count in parsed.ids.items() if count > 1] == []
    assert "<script>alert" not in html
    assert "\x1b" not in html


def test_the_page_shows_no_row_of_the_quarantine(html: str) -> None:
    assert "payments.npi" in html and "CANARY" not in html


def test_the_page_names_code_config_and_data(html: str) -> None:
    for fact in ("feedfacecafe", "0123456789ab", "weights.billing", "providers_scores"):
        assert fact in html


def test_the_same_scores_in_any_order_give_the_same_page() -> None:
    shuffled = SCORES.sample(fraction=1.0, shuffle=True, seed=3)
    parts: dict[str, Any] = {"matches": None, "changes": None, "quarantined": [], "receipts": []}
    one, other = (
        report.provider_page(frame, backtest=backtest_frame(), **parts, config=CONFIG).html()
        for frame in (SCORES, shuffled)
    )
    assert one == other


def test_the_headline_counts_scored_high_excluded_and_paid() -> None:
    numbers: list[Number] = blocks(plain_page()["At a glance"], Headline)[0].numbers
    shown = {number.label: number.text for number in numbers}
    assert shown["Providers scored"] == str(SCORED.height) == "270"
    assert shown["In tier High"] == str((SCORED["risk_label"] == "High").sum())
    assert shown["Excluded themselves"] == "12"
    assert shown["Paid while excluded"] == "$148.1k"  # 12 x 12,345.67


def test_the_top_table_has_the_highest_in_order_with_reasons_and_parts() -> None:
    table = blocks(plain_page()["Highest ranked"], Table)[0]
    assert [row[0].text for row in table.cells] == [str(rank) for rank in range(1, 8)]
    best = SCORED.sort("rank").row(0, named=True)
    first = {cell.column.name: cell for cell in table.cells[0]}
    assert list(first["reasons"].items) == best["reasons"]
    width = sum(width for _, _, width in first["contributions"].parts)
    assert width == pytest.approx(100 * best["r_raw"] / SCORED.sort("rank").head(7)["r_raw"].max())


def test_tiers_by_state_cover_every_provider_and_fold_the_rest() -> None:
    rows = report_data.tiers_by(SCORED, "peer_state", 3)
    assert rows["label"].to_list()[-1] == report_data.OTHERS and rows.height == 4
    assert rows["providers"].sum() == SCORED.height
    assert sum(rows[tier].sum() for tier in TIERS) == SCORED.height
    assert rows["providers"].head(3).is_sorted(descending=True)


def test_a_missing_taxonomy_is_a_group_of_its_own() -> None:
    rows = report_data.tiers_by(SCORED, "peer_taxonomy", 50)
    missing = SCORED["peer_taxonomy"].null_count()
    assert (
        rows.filter(pl.col("label") == report_data.UNKNOWN)["providers"].to_list() == [missing]
        and missing > 0
    )


def test_component_means_add_up_to_the_mean_raw_score() -> None:
    facts = report_data.component_facts(SCORED)
    assert facts["mean_contribution"].sum() == pytest.approx(SCORED["r_raw"].mean())
    assert facts["largest"].sum() == SCORED.filter(pl.col("r_raw") > 0).height
    measured = dict(facts.select("component", "measured").iter_rows())
    assert measured["ownership"] == SCORED["ownership"].count() / SCORED.height < 1


def test_contributions_by_tier_are_means_of_the_tier() -> None:
    means = report_data.contributions_by_tier(SCORED)
    high = SCORED.filter(pl.col("risk_label") == "High")
    assert sum(means[name][0] for name in COMPONENTS) == pytest.approx(high["r_raw"].mean())


def test_a_component_that_tells_nobody_apart_is_pointed_out() -> None:
    assert report_data.idle_components(SCORED).is_empty()
    odd = pl.when(pl.col("npi") == SCORED["npi"][0]).then(5.0).otherwise(100.0)
    same = SCORES.with_columns(pl.when(pl.col("r_raw").is_not_null()).then(odd).alias("concentration"))
    told = [block.text for block in blocks(page(same)["Contributions"], Callout)]
    assert len(told) == 1 and told[0].startswith("concentration is 100 for 269 of 270 providers")


def test_flags_are_counted_by_name() -> None:
    two = '[{"flag":"a_b","value":1,"threshold":1},{"flag":"c","value":[1,2],"threshold":[1,1]}]'
    frame = pl.DataFrame({"flags": ["[]", two, '[{"flag":"c","value":1,"threshold":1}]']})
    assert report_data.flag_counts(frame).rows() == [("c", 2), ("a_b", 1)]


def test_the_backtest_warns_when_few_were_excluded_and_keeps_undefined_metrics() -> None:
    section = page(backtest=backtest_frame().with_columns(positives=pl.lit(4, pl.Int64)))["Backtest"]
    assert "Only 4 providers" in next(
        block.text for block in section.blocks if getattr(block, "tone", "") == "warning"
    )
    table = blocks(section, Table)[0]
    empty = [row for row in table.cells if row[0].text == "empty"]
    assert [cell.text for cell in empty[0]] == ["empty", "ROC-AUC", "–", "–", "–"]
    assert "empty" not in "".join(chart.svg for chart in blocks(section, Chart))


def test_a_backtest_without_any_metric_is_told_and_not_drawn() -> None:
    bare = backtest_frame().with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("value", "low", "high")
    )
    section = page(backtest=bare)["Backtest"]
    assert not blocks(section, Chart) and blocks(section, Table)


def test_changes_are_shown_when_there_is_an_earlier_run_only() -> None:
    assert "Since the earlier run" in plain_page()
    columns = ("previous_risk_score", "score_change", "previous_rank", "rank_change")
    alone = SCORES.with_columns(pl.lit(None).cast(SCORES.schema[name]).alias(name) for name in columns)
    assert "Since the earlier run" not in page(alone)


def test_causes_of_change_are_a_waterfall_from_run_to_run() -> None:
    effects = dict(zip((*FACTORS, "membership"), (0.5, -0.25, 0.0, 0.0, 0.125), strict=True))
    row = {
        "grouping": "all",
        "group": "all",
        "providers_before": 9,
        "providers_after": 9,
        "providers_both": 9,
    }
    for measure in ("r_raw", "risk_score"):
        row |= {f"{measure}_before": 10.0, f"{measure}_after": 10.375, f"{measure}_change": 0.375}
        row |= {f"{measure}_{name}": effect for name, effect in effects.items()}
    changes = GROUP_CHANGES.validate(pl.DataFrame([row], schema=GROUP_CHANGES.schema))
    charts = blocks(page(changes=changes)["Since the earlier run"], Chart)
    assert ["+0.50" in chart.svg and "−0.25" in chart.svg and "10.38" in chart.svg for chart in charts] == [
        False,
        True,
    ]


def test_name_matches_are_counted_per_tier_and_never_called_scored() -> None:
    rows = [("e1", "provider", "npi:1", "A", "NPI", 1, True), ("e2", "person", "p1", "D", "name", 2, False)]
    rows.append(("e2", "person", "p2", "D", "name", 2, False))
    matches = MATCHES.validate(pl.DataFrame(rows, schema=MATCHES.schema, orient="row"))
    table = blocks(page(matches=matches)["Exclusion matches"], Table)[0]
    assert [[cell.text for cell in row] for row in table.cells] == [
        ["A", "by NPI", "1", "1", "scored"],
        ["D", "by name only", "2", "1", "candidate, not scored"],
    ]


def test_a_population_without_any_score_still_has_a_page() -> None:
    html = report.provider_page(
        SCORES.filter(pl.col("risk_score").is_null()),
        backtest=None,
        matches=None,
        changes=None,
        quarantined=[quarantine_frame()],
        receipts=[],
        config=CONFIG,
    ).html()
    assert "no payments in the scored years" in html and "nan" not in html.lower().replace("finance", "")


def test_the_date_of_the_score_comes_from_the_receipts(results: Path) -> None:
    receipt = load(results / "receipts" / "rank.json")
    receipt.params["config.scoring.date"] = '"2024-12-31"'
    made = report.provider_page(
        SCORES, backtest=None, matches=None, changes=None, quarantined=[], receipts=[receipt], config=CONFIG
    )
    assert "as of 2024-12-31" in made.lead


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("source.kind", "demo", "Generated demo data"), ("scoring.method", "claidex", "predecessor's formulas")],
)
def test_demo_data_and_the_predecessors_method_are_called_so(key: str, value: str, said: str) -> None:
    telling = Receipt(stage="t.s", params={f"config.{key}": f'"{value}"'})
    silent = [block.text for block in blocks(plain_page()["At a glance"], Callout)]
    told = [block.text for block in blocks(page(receipts=[telling])["At a glance"], Callout)]
    assert not any(said in text for text in silent)
    assert any(said in text for text in told)
