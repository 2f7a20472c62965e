"""The notes page: how much the redactor finds and takes too much, what it withheld, and what made it. No note text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from riskflow import artifacts
from riskflow.artifacts import Artifact
from riskflow.contracts.notes_evaluation import ALL, MISSES, SCORES
from riskflow.contracts.notes_redacted import AUDIT, DEID_OBSERVATIONS, KINDS
from riskflow.notes.publish import shard_receipts
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
    Prose,
    Section,
    Table,
    charts,
    quality,
    run_facts,
)
from riskflow.report.parts import counted, setting, written

SYSTEM_NAMES = {
    "ner": "model alone",
    "rules": "rules alone",
    "rules_ner": "rules and model",
    "record_rules_ner": "with the record's own identifiers",
}
TIER_NAMES = {
    "known": "the record's own identifiers",
    "deny": "the policy's deny list",
    "rule": "rules (context, checksum, format)",
    "list": "lists of names and places",
    "ner": "the model",
}
RECALL = "Share of the identifiers of which every letter and digit is removed. Half a name found is a miss."
OVER = "Share of the words outside identifiers that are removed as well."
OVER_KIND = "Share of the removed pieces called by this kind that touch no identifier at all."
F2 = "F-measure of precision and recall in which recall weighs four times as much."
WITHHELD = (
    "Notes that could not be redacted for certain. They are counted and named by pseudonym, never published."
)
CAVEAT = (
    "Measured on generated notes. For yours, label some and run `riskflow notes evaluate LABELLED.jsonl`."
)


def run(
    *,
    scores: Path,
    misses: Path,
    audit: Path,
    observations: Path,
    quarantine: Path,
    card: Path,
    redacted: Path,
    plan: Path,
    receipts: list[Path],
    output: Path,
) -> Receipt:
    """Write the page from the published artifacts, the evaluation and the receipts of the stages.

    `redacted`: the folder with the receipts of the redact stage, of the shards that `plan` names.
    """
    page = notes_page(
        artifacts.read(scores, SCORES),
        artifacts.read(misses, MISSES),
        artifacts.read(audit, AUDIT, columns=["kind", "source"]),
        artifacts.read(
            observations, DEID_OBSERVATIONS, columns=["observation_id", "note_status", "note_reason"]
        ),
        artifacts.read(quarantine, QUARANTINE),
        json.loads(card.read_text(encoding="utf-8")),
        [load(path) for path in (*shard_receipts(redacted, plan), *receipts)],
    )
    return written(page, output)


def notes_page(
    scores: pl.DataFrame,
    misses: pl.DataFrame,
    audit: pl.DataFrame,
    observations: pl.DataFrame,
    quarantined: pl.DataFrame,
    card: Mapping[str, Any],
    receipts: Sequence[Receipt],
) -> Page:
    """Return the page; `observations` needs observation_id, note_status, note_reason, `audit` kind and source."""
    demo = setting(receipts, "source.kind") == "demo"
    sections = [
        _glance(scores, audit, observations, demo),
        _accuracy(scores, misses),
        _removed(audit),
        _withheld(observations),
        _model(card),
        quality(table_receipts(receipts), [quarantined]),
        _definitions(),
    ]
    notes = observations["note_status"].count()
    return Page(
        title="Redacted notes",
        lead=f"{notes:,} notes redacted or withheld: what was removed, how much is found on notes that the model "
        "never saw, and what was held back.",
        facts=run_facts(receipts),
        sections=sections,
        track="notes",
    )


def whole_system(scores: pl.DataFrame) -> str:
    """Return the system of the evaluation that is nearest to what ran: with the record where it was measured."""
    return "record_rules_ner" if "record_rules_ner" in scores["system"] else "rules_ner"


def table_receipts(receipts: Sequence[Receipt]) -> list[Receipt]:
    """Return a receipt per source table out of the one of ingest, for the section on data quality."""
    ingest = next(receipt for receipt in receipts if receipt.stage.endswith("ingest.stage"))
    parts = []
    for unit, read in sorted(ingest.facts["read"].items()):
        kept = ingest.facts["kept"].get(unit, 0)
        counts = {"read": read, "kept": kept, "quarantined": read - kept}
        named = [Artifact(f"{unit}.parquet", unit, kept, "")]
        parts.append(replace(ingest, counts=counts, outputs=named))
    return parts


def _glance(scores: pl.DataFrame, audit: pl.DataFrame, observations: pl.DataFrame, demo: bool) -> Section:
    overall = _overall(scores, whole_system(scores))
    withheld = int((observations["note_status"] == "withheld").sum())
    redacted = int((observations["note_status"] == "redacted").sum())
    numbers = [
        Number("Notes redacted", redacted, f"of {observations.height:,} observations"),
        Number("Notes withheld", withheld, "never published", WITHHELD, "warn" if withheld else "good"),
        Number("Identifiers removed", audit.height, "each one in the audit"),
        Number("Recall", _percent(overall["recall"]), "on unseen notes", RECALL, "good"),
        Number("Over-redaction", _percent(overall["over_redaction"]), "of other words", OVER),
    ]
    blocks: list[Block] = [Headline(numbers)]
    if demo:
        blocks.append(Callout("Generated demo data: no patient on this page is real.", "warning"))
    blocks.append(
        Callout("The leak gate read the published tables by other means and found nothing.", "good")
    )
    blocks.append(Callout(CAVEAT))
    return Section("At a glance", blocks=blocks)


def _accuracy(scores: pl.DataFrame, misses: pl.DataFrame) -> Section:
    whole = whole_system(scores)
    own = scores.filter((pl.col("system") == whole) & (pl.col("kind") != ALL)).sort("kind")
    kinds = own.filter(pl.col("true_spans") > 0)["kind"].to_list()
    shown = [name for name in ("rules", "rules_ner", whole) if name in scores["system"]]
    series = {SYSTEM_NAMES[name]: _recalls(scores, name, kinds) for name in dict.fromkeys(shown)}
    rows = own.with_columns((1 - pl.col("precision")).alias("over"))
    systems = [
        {"system": label, **_overall(scores, name)}
        for name, label in SYSTEM_NAMES.items()
        if name in scores["system"]
    ]
    blocks: list[Block] = [
        Chart(
            "Recall by kind",
            charts.grouped_bars(kinds, series, x_label="recall", limits=(0, 1), wide=True),
            alt="Recall by kind of identifier: "
            + ", ".join(
                f"{k} {_percent(r)}" for k, r in zip(kinds, series[SYSTEM_NAMES[whole]], strict=True)
            ),
            note="Names, places and sentences of these notes were never in the training data.",
            meaning=RECALL,
            wide=True,
        ),
        Table(
            "Every kind",
            rows,
            [
                Column("kind", "Kind", "code"),
                Column("true_spans", "Identifiers", "number"),
                Column("found_whole", "Removed whole", "number"),
                Column("found_in_part", "In part", "number"),
                Column("recall", "Recall", "percent", digits=2, meaning=RECALL),
                Column("over", "Over-redaction", "percent", digits=2, meaning=OVER_KIND),
                Column("f2", "F2", "number", digits=4, meaning=F2),
            ],
            note=f"{SYSTEM_NAMES[whole]}; {misses.height:,} misses, by hash in sensitive/misses.parquet.",
        ),
        Table(
            "What each part finds",
            systems,
            [
                Column("system", "Read by"),
                Column("recall", "Recall", "percent", digits=2, meaning=RECALL),
                Column("precision", "Precision", "percent", digits=2),
                Column("over_redaction", "Over-redaction", "percent", digits=3, meaning=OVER),
            ],
            note="The model alone is asked for names and places only; its recall here is over all kinds.",
        ),
    ]
    return Section(
        "Recall and over-redaction",
        "On labelled notes whose names, places and templates the model never saw.",
        blocks,
    )


def _removed(audit: pl.DataFrame) -> Section:
    kinds = counted(audit, "kind")
    tiers = counted(audit, pl.col("source").str.split(":").list.first().alias("tier")).with_columns(
        pl.col("tier").replace(TIER_NAMES).alias("found")
    )
    blocks: list[Block] = [
        Chart(
            "Identifiers removed, by kind",
            charts.bars(kinds["kind"].to_list(), kinds["len"].to_list(), x_label="identifiers"),
            alt="Identifiers by kind: " + ", ".join(f"{k} {n:,}" for k, n in kinds.iter_rows()),
        )
        if kinds.height
        else Callout("No identifier was found."),
        Table(
            "Found by",
            tiers,
            [Column("found", "What found it"), Column("len", "Identifiers", "number")],
            note="Where several found the same, the first in this order of belief counts: record, rules, lists, model.",
            half=True,
        ),
    ]
    return Section("What was removed", "Every removed identifier has a line in audit.parquet.", blocks)


def _withheld(observations: pl.DataFrame) -> Section:
    held = observations.filter(pl.col("note_status") == "withheld").sort("observation_id")
    if held.is_empty():
        return Section("Withheld notes", blocks=[Callout("No note was withheld.", "good")])
    reasons = counted(held, "note_reason")
    blocks: list[Block] = [
        Table(
            "Why",
            reasons,
            [Column("note_reason", "Reason"), Column("len", "Notes", "number")],
        ),
        Table(
            "Every withheld note",
            held,
            [Column("observation_id", "Observation (pseudonym)", "code"), Column("note_reason", "Reason")],
            filterable=True,
            collapsed=True,
        ),
    ]
    return Section("Withheld notes", WITHHELD, blocks)


def _model(card: Mapping[str, Any]) -> Section:
    told = [("Model", str(card["model"]))]
    if "training" in card:
        split = card["split"]
        told += [
            ("Trained on", f"{card['training']['sentences']:,} generated sentences (size {card['size']})"),
            ("Seen in training", _halves(split["train"])),
            ("Kept for the test", _halves(split["evaluation"])),
            ("Architecture", str(card["architecture"])),
        ]
    rows = [
        {"notes": name.replace("_", " "), "kind": kind, **values}
        for name, part in card["scores"].items()
        for kind, values in part.get("kinds", {}).items()
    ]
    columns = [
        Column("notes", "Sentences"),
        Column("kind", "Kind", "code"),
        Column("true_spans", "Identifiers", "number"),
        Column("recall", "Recall", "percent", digits=2, meaning=RECALL),
        Column("precision", "Precision", "percent", digits=2),
    ]
    blocks: list[Block] = [Definitions(told), Table("The model alone, sentence by sentence", rows, columns)]
    blocks += [Prose(f"Limit: {limit}.") for limit in card.get("limits", ())]
    return Section("The name model", "It finds names and places that no rule, list or record knows.", blocks)


def _halves(half: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in half.items())


def _definitions() -> Section:
    items = [(kind, meaning[0].upper() + meaning[1:]) for kind, meaning in KINDS.items()]
    return Section(
        "Kinds of identifier",
        "The eighteen kinds of the Safe Harbor method, ages and NPIs told apart.",
        [Definitions(items)],
    )


def _overall(scores: pl.DataFrame, system: str) -> dict[str, Any]:
    row = scores.row(by_predicate=(pl.col("system") == system) & (pl.col("kind") == ALL), named=True)
    return {name: row[name] for name in ("recall", "precision", "over_redaction")}


def _recalls(scores: pl.DataFrame, system: str, kinds: Sequence[str]) -> list[float | None]:
    found = dict(scores.filter(pl.col("system") == system).select("kind", "recall").iter_rows())
    return [found.get(kind) for kind in kinds]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"
