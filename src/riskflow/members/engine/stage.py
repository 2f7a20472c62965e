"""Stage: score one shard of the members by the CMS tables of the configured benefit year and vintage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.members import MembersScoreStage
from riskflow.contracts.members_scores import REJECTED, SCORES
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.errors import RiskflowError
from riskflow.members.engine.eligibility import CLAIM_FIELDS, eligible_codes, with_eligibility
from riskflow.members.engine.marks import BLOCK
from riskflow.members.engine.score import SPAN_COLUMNS, Scored, priced, score
from riskflow.members.parallel import mapped, threads
from riskflow.members.tables.load import LATEST, TableSet, load
from riskflow.receipts import Receipt

SLICE_SPANS = 1 << 17
"""Most spans scored at a time: the memory of a shard is that of a few slices and of the drugs that do not count."""


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
    priced(chosen)  # once, before the threads that score ask for it at the same time
    enrolled = artifacts.scan(spans, SPANS).select(SPAN_COLUMNS)
    members = enrolled.select("member_id").collect().to_series()
    claims, fills = _claims(artifacts.scan(diagnoses, DIAGNOSES)), artifacts.scan(drugs, DRUGS)

    def scored(part: Slice) -> Judged:
        # in one piece each: columns made of them would come in other pieces, and be brought into line again and again
        covered = enrolled.slice(part.start, part.length).collect().rechunk()
        mine, drawn = (rows.filter(part.owns).collect().rechunk() for rows in (claims, fills))
        found = score(covered, with_eligibility(mine, codes), drawn, chosen)
        return Judged(found, mine.height, drawn.height, _reasons(found))

    # where there are many spans, at least a slice for each thread
    rows = min(SLICE_SPANS, max(BLOCK, -(-len(members) // threads())))
    read, later, reasons = Counter[str](), [], []
    with (
        artifacts.writing(output, SCORES) as add_scores,
        artifacts.writing(rejected, REJECTED) as add_rejected,
    ):
        for part in mapped(scored, slices(members, rows)):
            add_scores(part.found.scores)
            add_rejected(part.found.diagnoses)
            later.append(part.found.drugs)  # behind all diagnoses
            reasons.append(part.reasons)
            read.update(scored=part.found.scores.height, diagnoses=part.diagnoses, drugs=part.drugs)
        for lost in later:
            add_rejected(lost)
    summed = pl.concat(reasons).group_by("kind", "reason").sum().sort("kind", "reason")
    return Receipt(
        counts={"spans": len(members), "scored": read["scored"], **_counted(read, summed)},
        facts={
            "tables": f"{chosen.release} ({chosen.benefit_year}, {chosen.vintage})",
            "claim_filter": "kind, type of bill and the user's list of codes"
            if listed
            else "kind and type of bill where given; no list of eligible codes was supplied",
            "not_counted": dict(summed.select(pl.format("{}: {}", "kind", "reason"), "len").iter_rows()),
        },
    )


@dataclass(frozen=True)
class Slice:
    """Some spans, and the condition on member_id that all evidence of their members meets and no other slice has."""

    start: int
    length: int
    owns: pl.Expr


@dataclass(frozen=True)
class Judged:
    """What a slice came to, how many rows of evidence it had, and how many do not count: kind, reason, len."""

    found: Scored
    diagnoses: int
    drugs: int
    reasons: pl.DataFrame


def slices(members: pl.Series, rows: int) -> Iterator[Slice]:
    """Yield the spans, given by their members in order, about so many at a time; a member's spans stay together.

    Together the slices own every member id, also those without a span.
    """
    start, owns = 0, pl.lit(True)
    while len(members) - start > rows:
        stop = int(members.search_sorted(members[start + rows], side="left"))
        stop = stop if stop > start else int(members.search_sorted(members[start], side="right"))
        if stop >= len(members):
            break
        before = pl.col("member_id") < members[stop]
        yield Slice(start, stop - start, owns & before)
        start, owns = stop, ~before
    yield Slice(start, len(members) - start, owns)


def _claims(diagnoses: pl.LazyFrame) -> pl.LazyFrame:
    """Return the diagnoses without the fields of claims where no claim has a kind: they decide nothing then."""
    kinds = diagnoses.select(pl.col("claim_kind").is_null().all()).collect(engine="streaming")
    return diagnoses.drop(CLAIM_FIELDS) if kinds.item() else diagnoses


def _reasons(found: Scored) -> pl.DataFrame:
    by_kind = [
        lost.group_by("reason").agg(pl.col("kind").first(), pl.len())
        for lost in (found.diagnoses, found.drugs)
    ]
    return pl.concat(by_kind)


def _counted(read: Mapping[str, int], reasons: pl.DataFrame) -> dict[str, int]:
    uncounted = dict(reasons.group_by("kind").agg(pl.col("len").sum()).iter_rows())
    return {
        "diagnoses": read["diagnoses"],
        "diagnoses_counted": read["diagnoses"] - uncounted.get("diagnosis", 0),
        "drugs": read["drugs"],
        "drugs_counted": read["drugs"] - uncounted.get("drug", 0),
    }


def _check_chosen(tables: TableSet, config: MembersScoreStage) -> None:
    wanted = config.model
    if tables.benefit_year != wanted.benefit_year or wanted.vintage not in (LATEST, tables.vintage):
        raise RiskflowError(
            f"the CMS tables given are of {tables.benefit_year} ({tables.vintage}), "
            f"the config asks for {wanted.benefit_year} ({wanted.vintage})"
        )
