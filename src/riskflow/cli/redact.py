"""riskflow redact: one text through the redactor, by the policy of the config; fails closed."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskflow.cli.console import ResultsFolder, layers
from riskflow.errors import RiskflowError

if TYPE_CHECKING:
    from riskflow.config.notes import NotesConfig
    from riskflow.notes.ner.detector import NerDetector
    from riskflow.notes.policy import Policy

OverlayFiles = Annotated[
    list[Path] | None,
    typer.Option("--configfile", help="YAML file over config/config.yaml; may be repeated."),
]


def register(seats: Any) -> None:
    """Add `redact`."""
    seats.app.command("redact")(redact)


def redact(
    file: Annotated[str, typer.Argument(help="A text file, or - for standard input.")],
    patient: Annotated[
        str, typer.Option(help="Whose text it is: pseudonyms and day shifts are those of this patient id.")
    ] = "",
    results: ResultsFolder = Path("results"),
    configfile: OverlayFiles = None,
) -> None:
    """Write a text without its identifiers to standard output; nothing is written when it cannot be redacted.

    No record is known here, so only rules, lists and the name model read; the workflow also knows each record.
    """
    config = notes_config(configfile)
    text = _text(file)
    redacted = redacted_text(text, patient, config, name_model(results, config))
    sys.stdout.write(redacted)


def redacted_text(text: str, patient: str, config: NotesConfig, model: NerDetector) -> str:
    """Return the redacted text; RiskflowError when the redactor withholds it."""
    import polars as pl

    from riskflow.contracts.notes_sources import SOURCE_PATIENTS
    from riskflow.notes.redact.known import record_identifiers
    from riskflow.notes.redact.pipeline import redact as redact_notes

    policy = policy_of(config)
    notes = pl.DataFrame({"note_id": ["1"], "patient_id": [patient], "text": [text]})
    identifiers = record_identifiers(SOURCE_PATIENTS.empty())
    row = redact_notes(notes, identifiers, policy, _key(config, policy), [model]).notes.row(0, named=True)
    if row["status"] != "redacted" or row["text"] is None:
        raise RiskflowError(f"the text is withheld: {row['reason']}", "nothing was written")
    return str(row["text"])


def notes_config(overlays: list[Path] | None) -> NotesConfig:
    """Return the notes section of config/config.yaml with the overlays on top."""
    from riskflow.config.root import load

    return load(layers(overlays)).notes


def policy_of(config: NotesConfig) -> Policy:
    """Return the redaction policy of the config."""
    from riskflow.notes.policy import Policy

    return Policy.of(config.policy)


def name_model(results: Path, config: NotesConfig) -> NerDetector:
    """Return the name model: the trained one of the results, or the installed pipeline that the config names.

    Without a model there is a RiskflowError: names that no rule knows would pass.
    """
    trained = results / "notes" / "model" / "names.model"
    named = config.ner.model != "trained"
    if not named and not trained.is_file():
        raise RiskflowError(
            f"there is no name model in {trained.parent}; without it names would be missed",
            f"train it with: snakemake --cores 2 {trained}, or name an installed spaCy pipeline in notes.ner.model",
        )
    from riskflow.notes.ner.detector import NerDetector, detector_for

    if named:
        return NerDetector(config.ner.model, config.ner.batch)
    return detector_for(trained, config.ner.batch, 1)


def _key(config: NotesConfig, policy: Policy) -> bytes:
    """Return the key of the config; markers show nothing that a key made, so for them one of the moment will do."""
    from riskflow.notes.pseudonym import load_key

    if policy.style == "markers" and not policy.shift_dates:
        return secrets.token_bytes(32)
    return load_key(config.policy.key_file)


def _text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise RiskflowError(f"cannot read {file}: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RiskflowError(
            f"{'standard input' if file == '-' else file} is not UTF-8 (byte {error.start})",
            "convert it first, for example with: iconv -f WINDOWS-1252 -t UTF-8",
        ) from None
