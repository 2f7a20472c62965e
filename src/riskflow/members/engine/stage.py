"""Stage: score one shard of the members by the CMS tables of the configured benefit year and vintage."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.members import MembersScoreStage
from riskflow.contracts.members_scores import REJECTED, SCORES
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.errors import RiskflowError
from riskflow.members.engine.eligibility import eligible_codes, with_eligibility
from riskflow.members.engine.score import Scored, score
from riskflow.members.tables.load import LATEST, TableSet, load
from riskflow.receipts import Receipt


def run(
    *,
    spans: Path,
    diagnoses: Path,
    drugs: Path,
    tables: list[Path],
    output: Path,
    rejected: Path,
    config: MembersScoreStage,
) -> Receipt:
    """Write the scores of one shard's members and the evidence that does not count.

    `tables`: the files of one set of CMS tables (`tables.load.files` names them).
    """
    chosen = load(tables[0].parent)
    _check_chosen(chosen, config)
    listed = config.model.eligible_codes
    codes = eligible_codes(Path(listed)) if listed else None
    members, claims, fills = (
        artifacts.read(spans, SPANS),
        artifacts.read(diagnoses, DIAGNOSES),
        artifacts.read(drugs, DRUGS),
    )
    found = score(members, with_eligibility(claims, codes), fills, chosen)
    artifacts.write(found.scores, output, SCORES)
    artifacts.write(found.rejected, rejected, REJECTED)
    return Receipt(
        counts=_counts(members, claims, fills, found),
        facts={
            "tables": f"{chosen.release} ({chosen.benefit_year}, {chosen.vintage})",
            "claim_filter": "kind, type of bill and the user's list of codes"
            if listed
            else "kind and type of bill where given; no list of eligible codes was supplied",
            "not_counted": dict(
                found.rejected.group_by("kind", "reason")
                .len()
                .sort("kind", "reason")
                .select(pl.format("{}: {}", "kind", "reason"), "len")
                .iter_rows()
            ),
        },
    )


def _counts(
    spans: pl.DataFrame, diagnoses: pl.DataFrame, drugs: pl.DataFrame, found: Scored
) -> dict[str, int]:
    lost = dict(found.rejected.group_by("kind").len().iter_rows())
    return {
        "spans": spans.height,
        "scored": found.scores.height,
        "diagnoses": diagnoses.height,
        "diagnoses_counted": diagnoses.height - lost.get("diagnosis", 0),
        "drugs": drugs.height,
        "drugs_counted": drugs.height - lost.get("drug", 0),
    }


def _check_chosen(tables: TableSet, config: MembersScoreStage) -> None:
    wanted = config.model
    if tables.benefit_year != wanted.benefit_year or wanted.vintage not in (LATEST, tables.vintage):
        raise RiskflowError(
            f"the CMS tables given are of {tables.benefit_year} ({tables.vintage}), "
            f"the config asks for {wanted.benefit_year} ({wanted.vintage})"
        )
