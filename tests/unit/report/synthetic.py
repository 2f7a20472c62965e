"""A small population of published scores, and a results folder around it, for the page and the command line."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl

from riskflow import artifacts
from riskflow.contracts.base import Contract
from riskflow.contracts.providers_scores import COMPONENTS, RANKS, SCORES
from riskflow.contracts.providers_sources import BACKTEST
from riskflow.quarantine import QUARANTINE
from riskflow.receipts import Receipt

FIRST_NPI = 1_234_500_000
WEIGHTS = {"billing": 0.30, "ownership": 0.25, "trajectory": 0.20, "exclusion": 0.15, "concentration": 0.10}
TAXONOMIES = ("207Q00000X", "363L00000X", "332B00000X", "251E00000X", "1223G0001X", "261QF0400X")
STATES = ("TX", "CA", "FL", "NY", "OH", "GA", "IL", "WY")
NASTY_NAME = "O'Brien & <script>alert(1)</script> \x1b[31mClinic"


def scores_frame(providers: int = 300, seed: int = 5) -> pl.DataFrame:
    """Return scores that keep their contract; every tenth provider is not scored."""
    rng = random.Random(seed)
    rows = [_raw(rng, number) for number in range(providers)]
    scored = sorted((row for row in rows if row["r_raw"] is not None), key=lambda row: row["r_raw"])
    for place, row in enumerate(scored):
        score = 100.0 * place / (len(scored) - 1)
        tier = "High" if score >= 80 else "Elevated" if score >= 60 else "Moderate" if score >= 30 else "Low"
        row |= {"risk_score": score, "rank": len(scored) - place, "risk_label": tier}
        previous = min(100.0, max(0.0, score + rng.uniform(-20, 20)))
        row |= {"previous_risk_score": previous, "score_change": score - previous}
        row |= {"previous_rank": len(scored) - place + 3, "rank_change": 3}
    return SCORES.validate(pl.DataFrame(rows, schema=SCORES.schema))


def _raw(rng: random.Random, number: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(SCORES.schema)
    row |= {
        "npi": str(FIRST_NPI + number),
        "display_name": NASTY_NAME if number == 1 else f"Provider {number}",
        "entity_type": rng.choice(["individual", "organization"]),
        "peer_taxonomy": rng.choice(TAXONOMIES) if number % 17 else None,
        "peer_state": rng.choice(STATES),
        "coverage": 0.0,
        "flags": "[]",
        "reasons": [],
        "method": "v1",
        "method_version": "1.0",
    }
    if number % 10 == 0:
        return row | {"not_scored_reason": "no payments in the scored years"}
    values: dict[str, float | None] = {name: min(100.0, rng.expovariate(1 / 22)) for name in COMPONENTS}
    values["ownership"] = None if number % 4 else rng.uniform(0, 100)
    values["exclusion"] = 100.0 if number % 25 == 1 else 0.0
    present = sum(WEIGHTS[name] for name, value in values.items() if value is not None)
    added = {n: 0.0 if v is None else WEIGHTS[n] / present * v for n, v in values.items()}
    flags = [{"flag": "exclusion", "value": 100.0, "threshold": 80}] if values["exclusion"] else []
    return row | {
        **values,
        **{f"{name}_contribution": points for name, points in added.items()},
        "r_raw": sum(added.values()),
        "coverage": present,
        "peer_basis": "taxonomy+state+year",
        "peer_n": rng.randint(50, 900),
        "data_window_years": list(range(2019, 2025)),
        "billing_outlier_percentile": rng.uniform(0, 100),
        "billing_year": 2023,
        "billing_measure": "payment_per_claim",
        "billing_value": 812.4,
        "billing_median": 101.22,
        "billing_top_z": 4.9,
        "billing_peers": 220,
        "growth_year": 2022,
        "growth_value": 0.8,
        "growth_median": 0.1,
        "growth_top_z": 3.2,
        "top_program": "Medicaid",
        "top_share": 88.0,
        "flags": json.dumps(flags),
        "reasons": [
            f"+{points:.1f} points from {name}: a number" for name, points in added.items() if points > 0
        ],
        "nearest_exclusion_hops": 2 if number % 4 == 0 else None,
        "nearest_exclusion_path": [f"Provider {number}", "Holding", "Excluded Person"]
        if number % 4 == 0
        else None,
        "chain_providers": 12 if number % 4 == 0 else None,
        "chain_excluded_providers": 1 if number % 4 == 0 else None,
        "payments_after_exclusion_cents": 1_234_567 if number % 25 == 1 else None,
    }


def backtest_frame() -> pl.DataFrame:
    """Return metrics of a score and two baselines, with one that is not defined."""
    rows: list[tuple[Any, ...]] = []
    for scorer, auc, lift in (
        ("v1", 0.71, 2.8),
        ("size_only", 0.58, 1.3),
        ("exclusion_history_only", 0.51, 1.0),
    ):
        rows.append((scorer, "roc_auc", 0, auc, auc - 0.05, auc + 0.05, 3000, 40))
        rows.append((scorer, "pr_auc", 0, 0.05, 0.03, 0.08, 3000, 40))
        for k in (50, 100):
            rows.append((scorer, "precision_at_k", k, 0.04, 0.02, 0.06, 3000, 40))
            rows.append((scorer, "recall_at_k", k, 0.1, 0.05, 0.2, 3000, 40))
            rows.append((scorer, "lift_at_k", k, lift, lift / 2, lift * 1.5, 3000, 40))
    rows.append(("empty", "roc_auc", 0, None, None, None, 3000, 0))
    return pl.DataFrame(rows, schema=BACKTEST.schema, orient="row").sort(BACKTEST.key)


def quarantine_frame() -> pl.DataFrame:
    """Return three quarantined rows of two rules."""
    return pl.DataFrame(
        {
            "rule_id": ["payments.npi", "payments.npi", "payments.year"],
            "source": ["data/payments.csv"] * 3,
            "line": [3, 9, 12],
            "reason": ["the NPI has ten digits", "the NPI has ten digits", "the year is a year"],
            "row": ['{"name":"CANARY"}', None, None],
        },
        schema=QUARANTINE.schema,
    )


def results_folder(root: Path) -> Path:
    """Write scores, ranks, backtest, quarantine and receipts under `root`/results/providers; return results."""
    results = root / "results"
    folder = results / "providers"
    scores = scores_frame()
    ranks = scores.with_columns(pl.col("npi").cast(pl.Int64)).select(list(RANKS.schema))
    _stage(folder, "explain", scores, folder / "scores.parquet", SCORES, read=300)
    _stage(folder, "rank", ranks, folder / "ranks.parquet", RANKS, read=300)
    _stage(folder, "backtest", backtest_frame(), folder / "backtest.parquet", BACKTEST)
    rows = quarantine_frame()
    path = folder / "quarantine" / "payments.parquet"
    _stage(folder, "ingest_payments", rows, path, QUARANTINE, read=1003, kept=1000, quarantined=3)
    gate = Receipt(stage="providers.quality", counts={"read": 1003, "kept": 1000, "quarantined": 3})
    gate.write(folder / "receipts" / "quality.json")
    return results


def _stage(
    folder: Path, name: str, frame: pl.DataFrame, path: Path, contract: Contract, **counts: int
) -> None:
    with artifacts.ledger("0123456789abcdef" * 4) as ledger:
        artifacts.write(frame, path, contract)
    Receipt(
        stage=f"providers.{name}",
        counts=counts,
        outputs=ledger.outputs,
        params={"config.tiers.high": "80.0"} | {f"config.weights.{n}": f"{w}" for n, w in WEIGHTS.items()},
        provenance="0123456789abcdef" * 4,
        run={
            "seconds": 0.5,
            "python": "3.11.7",
            "versions": {"polars": "2.1.0"},
            "git": {
                "branch": "main",
                "commit": "feedfacecafebeef",
                "commit_date": "2024-06-01T00:00:00",
                "clean": True,
            },
        },
    ).write(folder / "receipts" / f"{name}.json")
