"""The leak gate: a second, independent reading of what is about to be published.

It shares no rule and no matching code with the redaction: names, numbers and addresses of the source records are
looked up by SQL over the finished tables, and a handful of patterns is asked of every text. It tells table,
column, record (by pseudonym) and check; never a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from riskflow import artifacts, duck
from riskflow.config.notes import NotesPolicyStage
from riskflow.contracts.notes_redacted import (
    KINDS,
    LEAKS,
    PSEUDONYM_LENGTH,
    PSEUDONYM_LETTERS,
    PUBLISHED_TABLES,
    STATUSES,
)
from riskflow.errors import RiskflowError
from riskflow.notes.deidentify import read_sources
from riskflow.notes.policy import Policy
from riskflow.notes.pseudonym import load_key, pseudonyms
from riskflow.notes.redact.text import ordinary_words
from riskflow.receipts import Receipt
from riskflow.resources import text

_MARKER = rf"\[(?:{'|'.join(KINDS)})(?::[{PSEUDONYM_LETTERS}]{{{PSEUDONYM_LENGTH}}})?\]"
_SHIFTED_DATE = r"\[DATE:\d{4}-\d\d-\d\d\]"
_CLOSED_COLUMNS = frozenset(
    {"state", "country", "zip3", "code", "diagnosis_codes", "unit", "gender", "language"}
)
"""Columns of closed vocabularies: their words are no evidence; numbers, codes and canaries are looked for still."""

_PATTERNS = {
    "e-mail address": r"[\w.+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}",
    "web address": r"(?i)https?://|\bwww\.\w",
    "social security number": r"\b\d{3}[- ]\d{2}[- ]\d{4}\b",
    "telephone number": r"(?:\(\d{3}\) ?|\b\d{3}[-.])\d{3}[-. ]\d{4}\b",
    "date": r"\b(?:\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})|(?:19|20)\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))\b",
    "date in words": r"\b(?:January|February|March|April|June|July|August|September|October|November|December) "
    r"\d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d{2}\b",
    "ZIP+4 code": r"\b\d{5}-\d{4}\b",
    "internet address": r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
    "record number": r"(?i)\bMRN\W{0,3}\d{4,}",
    "name after a title": r"\b(?:Dr|Mr|Mrs|Ms)\. [A-Z][a-z]+ [A-Z][a-z]+\b",
}
_TOLD = 5


def leaks(
    source: Mapping[str, pl.DataFrame],
    published: Mapping[str, pl.DataFrame],
    key: bytes,
    *,
    ordinary: Iterable[str] = (),
    allowed: Sequence[str] = (),
    canaries: Sequence[str] = (),
    shifted_dates: bool = False,
) -> pl.DataFrame:
    """Return the findings (contract LEAKS) over the published tables.

    `source` and `published` have patients, encounters and observations. `ordinary`: words that in lower case are
    no name; `allowed`: the policy's allow list; `canaries`: texts that must be nowhere.
    """
    patients, encounters = source["patients"], source["encounters"]
    mapped = pseudonyms(key, "patient", patients["patient_id"])
    table = dict(zip(patients["patient_id"].to_list(), mapped.to_list(), strict=True))
    cells = _cells(published, allowed, shifted_dates)
    with duck.connect() as connection:
        connection.register("source_patients", patients)
        connection.register("source_encounters", encounters.select("patient_id", "encounter_id"))
        known = connection.sql(text(__package__, "leakgate_identifiers.sql")).pl()
        known = known.with_columns(
            pl.col("patient_id").replace_strict(table, default=None, return_dtype=pl.String)
        )
        connection.register("identifiers", known)
        connection.register("cells", cells)
        connection.register("ordinary", pl.DataFrame({"word": list(ordinary)}, schema={"word": pl.String}))
        connection.register(
            "patterns", pl.DataFrame({"what": list(_PATTERNS), "pattern": list(_PATTERNS.values())})
        )
        connection.register(
            "canaries", pl.DataFrame({"text": [c for c in canaries if c]}, schema={"text": pl.String})
        )
        found = connection.sql(text(__package__, "leakgate_findings.sql")).pl()
    wrong = _wrong_notes(published["observations"])
    findings: pl.DataFrame = pl.concat([found.cast(LEAKS.schema), wrong])
    return findings.unique().sort(list(LEAKS.key))


def _cells(
    published: Mapping[str, pl.DataFrame], allowed: Sequence[str], shifted_dates: bool
) -> pl.DataFrame:
    """One row per text cell of the published tables, without markers, ids and the policy's allowed terms."""
    marks = f"{_MARKER}|{_SHIFTED_DATE}" if shifted_dates else _MARKER
    parts = []
    for name, table in published.items():
        record = table.columns[0]
        for column, dtype in table.schema.items():
            if column.endswith("_id") or dtype not in (pl.String, pl.List(pl.String)):
                continue
            value = pl.col(column).list.join(" ; ") if isinstance(dtype, pl.List) else pl.col(column)
            parts.append(
                table.select(
                    pl.lit(name).alias("table_name"),
                    pl.lit(column).alias("column_name"),
                    pl.lit(column in _CLOSED_COLUMNS).alias("closed"),
                    pl.col(record).alias("record_id"),
                    "patient_id",
                    value.str.replace_all(marks, " ... ").alias("text"),
                ).drop_nulls("text")
            )
    cells = pl.concat(parts)
    for term in sorted(allowed, key=len, reverse=True):
        cells = cells.with_columns(pl.col("text").str.replace_all(rf"(?i){_literal(term)}", " ... "))
    return cells.with_row_index("cell")


def _literal(term: str) -> str:
    return "".join(c if c.isalnum() or c == " " else f"\\{c}" for c in term)


def _wrong_notes(observations: pl.DataFrame) -> pl.DataFrame:
    """Notes that are neither redacted nor withheld, or withheld with a text."""
    status, note = pl.col("note_status"), pl.col("note")
    unknown = ~status.is_in(STATUSES) | (status.is_null() & note.is_not_null())
    wrong = (
        unknown | ((status == "withheld") & note.is_not_null()) | ((status == "redacted") & note.is_null())
    )
    return observations.filter(wrong.fill_null(False)).select(
        pl.lit("observations").alias("table"),
        pl.lit("note").alias("column"),
        pl.col("observation_id").alias("record_id"),
        pl.lit("neither redacted nor withheld").alias("check"),
    )


def refuse(found: pl.DataFrame) -> None:
    """Raise a RiskflowError that tells checks, counts and some record ids when there are findings."""
    if found.is_empty():
        return
    counts = found.group_by("check").len().sort("check")
    told = ", ".join(f"{check}: {count}" for check, count in counts.iter_rows())
    some = found.select("table", "column", "record_id").unique(maintain_order=True).head(_TOLD).iter_rows()
    raise RiskflowError(
        f"the leak gate refuses the batch: {found.height} findings ({told})",
        "look at these records: " + "; ".join(f"{t}.{c} of {r}" for t, c, r in some),
    )


def run(
    *,
    patients: Path,
    encounters: Path,
    observations: Path,
    plan: Path,
    published_patients: Path,
    published_encounters: Path,
    published_observations: Path,
    findings: Path,
    config: NotesPolicyStage,
    canaries: Path | None = None,
) -> Receipt:
    """Read the published tables against the sources; fail the run when anything leaks.

    `patients`, `encounters` and `observations` are folders of source shards; `plan` names the shards in them.
    `findings` is written when there are none (an empty artifact LEAKS): what publishes must need it. `canaries`: a
    file with a text per line that must be nowhere.
    """
    policy = Policy.of(config.policy)
    paths = {
        "patients": published_patients,
        "encounters": published_encounters,
        "observations": published_observations,
    }
    published = {name: artifacts.read(path, PUBLISHED_TABLES[name]) for name, path in paths.items()}
    planted = canaries.read_text(encoding="utf-8").splitlines() if canaries else []
    found = leaks(
        read_sources(patients, encounters, observations, plan),
        published,
        load_key(config.policy.key_file),
        ordinary=ordinary_words(),
        allowed=policy.allow,
        canaries=planted,
        shifted_dates=policy.shift_dates,
    )
    refuse(found)
    artifacts.write(found, findings, LEAKS)
    rows = {f"{name}_read": table.height for name, table in published.items()}
    return Receipt(counts=rows | {"leaks": found.height})
