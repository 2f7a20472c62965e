"""riskflow notes evaluate: how much of a labelled set of one's own the redactor finds, per kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskflow.cli.console import ResultsFolder, heading, line, row, say, show, table
from riskflow.cli.redact import OverlayFiles, name_model, notes_config, policy_of
from riskflow.errors import RiskflowError

if TYPE_CHECKING:
    from riskflow.notes.evaluate import Evaluation


def register(seats: Any) -> None:
    """Add `notes evaluate`."""
    seats.notes.command("evaluate")(evaluate)


def evaluate(
    labelled: Annotated[
        Path,
        typer.Argument(
            help="JSON lines: text and spans [{start, end, kind}], or markup with {{KIND:value}} in the text."
        ),
    ],
    show_text: Annotated[
        bool, typer.Option("--show-text", help="Show the missed identifiers themselves, not their hashes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Scores and misses as JSON.")] = False,
    results: ResultsFolder = Path("results"),
    configfile: OverlayFiles = None,
) -> None:
    """Measure precision, recall and F2 per kind on a labelled set, and list what was missed, by hash."""
    from riskflow.notes.evaluate_stage import evaluate_file

    if not labelled.is_file():
        raise RiskflowError(f"there is no file {labelled}")
    config = notes_config(configfile)
    model = name_model(results, config)
    found = evaluate_file(labelled, [model], policy_of(config), show_text)
    if as_json:
        typer.echo(json.dumps(_document(found, model.version), indent=1))
        return
    _show_scores(found, model.version)
    _show_misses(found, show_text)


def _document(found: Evaluation, model: str) -> dict[str, Any]:
    return {
        "model": model,
        "texts": found.texts,
        "withheld": found.withheld,
        "over_redaction": found.over_redaction,
        "scores": found.scores.to_dicts(),
        "misses": found.misses.to_dicts(),
    }


def _show_scores(found: Evaluation, model: str) -> None:
    heading("Redaction of the labelled set", f"{found.texts:,} texts, {found.withheld:,} withheld; {model}")
    numbers = ("labelled", "whole", "in part", "recall", "precision", "F2")
    listing = table("kind", *numbers, right=numbers)
    for scores in found.scores.to_dicts():
        row(
            listing,
            scores["kind"],
            *(f"{scores[name]:,}" for name in ("true_spans", "found_whole", "found_in_part")),
            *(_share(scores[name]) for name in ("recall", "precision", "f2")),
            style="bold" if scores["kind"] == "ALL" else "",
        )
    show(listing)
    say("over", f"{100 * found.over_redaction:.2f}% of the words outside identifiers are removed as well", 4)


def _show_misses(found: Evaluation, show_text: bool) -> None:
    if found.misses.is_empty():
        say("miss", "none", 4)
        return
    last = "text" if show_text else "sha256"
    heading("Missed", f"{found.misses.height:,} identifiers")
    listing = table("text id", "start", "end", "kind", last, right=("start", "end"))
    for miss in found.misses.to_dicts():
        row(listing, miss["id"], miss["start"], miss["end"], miss["kind"], line(str(miss[last])))
    show(listing)


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"
