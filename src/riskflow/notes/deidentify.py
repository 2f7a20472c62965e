"""De-identification of the structured tables by the policy of the notes: nothing of the eighteen kinds is left.

Names, streets, cities, contacts and numbers are not carried over; ids become keyed pseudonyms, the same in
every table; dates become years, or are shifted per patient; ZIP codes become three digits; ages over 89 go.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.notes import NotesPolicyStage
from riskflow.contracts.base import Contract
from riskflow.contracts.notes_redacted import AUDIT, PUBLISHED_TABLES, REDACTED_NOTES
from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.errors import RiskflowError
from riskflow.notes.policy import Policy
from riskflow.notes.pseudonym import load_key, pseudonyms, shift_days
from riskflow.notes.redact.known import detect_known
from riskflow.notes.redact.pipeline import redact
from riskflow.notes.redact.places import STATES
from riskflow.notes.redact.record import record_identifiers
from riskflow.notes.redact.text import folded
from riskflow.receipts import Receipt
from riskflow.sharding import planned_files

SMALL_ZIP3 = frozenset(
    {
        "036",
        "059",
        "063",
        "102",
        "203",
        "556",
        "692",
        "790",
        "821",
        "823",
        "830",
        "831",
        "878",
        "879",
        "884",
        "890",
    }
    | {"893", "205", "369", "753", "772"}
)
"""ZIP prefixes with 20,000 people or fewer: the 17 of the Census of 2000 that the HHS guidance on de-identification
(November 2012) lists, and 205, 369, 753 and 772, which came under the limit by the Census of 2010."""

OLDEST_AGE = 89
_LONG_NUMBER = 7
_CODE = r"^[A-Za-z0-9][A-Za-z0-9.:_-]{0,17}$"
_NUMBER = r"^[<>=~+-]{0,2}\s?\d{1,12}(?:[.,]\d{1,6})?$"
_PATIENT_TEXTS = ("gender", "marital_status", "language")
_ENCOUNTER_TEXTS = ("type", "service_type", "reason_code", "participant_role")
_ENCOUNTER_CODES = ("status", "class_code", "priority")
_OBSERVATION_TEXTS = (
    "value",
    "interpretation",
    "body_site",
    "method",
    "device",
    "reference_range",
    "unit",
    "category",
)
_OBSERVATION_CODES = ("status", "code")


def zip3(postal_code: pl.Expr) -> pl.Expr:
    """Return the first three digits of US ZIP codes, 000 for small populations, null for what is no ZIP code."""
    prefix = postal_code.str.strip_chars().str.extract(r"^(\d{3})\d{2}(?:-?\d{4})?$")
    return pl.when(prefix.is_in(sorted(SMALL_ZIP3))).then(pl.lit("000")).otherwise(prefix)


def last_date(encounters: pl.DataFrame, observations: pl.DataFrame) -> dt.date | None:
    """Return the latest date of the data: ages over 89 are counted at it, so that no clock decides."""
    columns = [
        encounters["period_start"],
        encounters["period_end"],
        observations["effective_date"],
        observations["issued"],
    ]
    days = [column.dt.date().max() for column in columns]
    return max((day for day in days if isinstance(day, dt.date)), default=None)


def deidentified_patients(
    patients: pl.DataFrame, as_of: dt.date | None, identifiers: pl.DataFrame, policy: Policy, key: bytes
) -> pl.DataFrame:
    """Return DEID_PATIENTS rows of SOURCE_PATIENTS rows; `as_of` is `last_date`."""
    patients = _clean_texts(patients, _PATIENT_TEXTS, identifiers, policy, key)
    latest = pl.coalesce("deceased_date", pl.lit(as_of, dtype=pl.Date))
    over = (_age(pl.col("date_of_birth"), latest) > OLDEST_AGE).fill_null(False)
    young_birth = pl.when(~over).then(pl.col("date_of_birth"))
    return _finished(
        patients.with_columns(_shift_column(patients["patient_id"], key)).select(
            pl.Series("patient_id", pseudonyms(key, "patient", patients["patient_id"])),
            young_birth.dt.year().cast(pl.Int16).alias("birth_year"),
            _shifted(young_birth, policy).alias("birth_date"),
            over.alias("over_89"),
            "gender",
            "deceased",
            pl.col("deceased_date").dt.year().cast(pl.Int16).alias("death_year"),
            _shifted(pl.col("deceased_date"), policy).alias("death_date"),
            "marital_status",
            zip3(pl.col("postal_code")).alias("zip3"),
            pl.when(pl.col("state").str.strip_chars().str.to_lowercase().is_in(sorted(STATES)))
            .then("state")
            .alias("state"),
            pl.when(pl.col("country").str.contains(r"^[A-Z]{2,3}$|^United States"))
            .then("country")
            .alias("country"),
            "language",
            _named("organization_id", key, "organization", patients["managing_organization"]),
        ),
        "patients",
    )


def deidentified_encounters(
    encounters: pl.DataFrame, first_days: pl.DataFrame, identifiers: pl.DataFrame, policy: Policy, key: bytes
) -> pl.DataFrame:
    """Return DEID_ENCOUNTERS rows of SOURCE_ENCOUNTERS rows; `first_days` is of `first_days_of`."""
    clean = _clean_texts(encounters, _ENCOUNTER_TEXTS, identifiers, policy, key)
    rows = clean.join(first_days, on="patient_id", how="left", maintain_order="left")
    start, end = pl.col("period_start").dt.date(), pl.col("period_end").dt.date()
    return _finished(
        rows.with_columns(_shift_column(rows["patient_id"], key)).select(
            pl.Series("encounter_id", pseudonyms(key, "encounter", rows["encounter_id"])),
            pl.Series("patient_id", pseudonyms(key, "patient", rows["patient_id"])),
            _code("status"),
            _code("class_code"),
            "type",
            "service_type",
            _code("priority"),
            _year_of(start, policy).alias("start_year"),
            _shifted(start, policy).alias("start_date"),
            _shifted(end, policy).alias("end_date"),
            (start - pl.col("first_day")).dt.total_days().cast(pl.Int32).alias("day"),
            "length_minutes",
            "reason_code",
            _codes("diagnosis_codes"),
            "participant_role",
            _named("participant_id", key, "clinician", rows["participant_name"]),
            _named("facility_id", key, "organization", rows["facility_name"]),
            _named("service_provider_id", key, "organization", rows["service_provider"]),
        ),
        "encounters",
    )


def deidentified_observations(
    observations: pl.DataFrame,
    redacted: pl.DataFrame,
    first_days: pl.DataFrame,
    identifiers: pl.DataFrame,
    policy: Policy,
    key: bytes,
) -> pl.DataFrame:
    """Return DEID_OBSERVATIONS rows of SOURCE_OBSERVATIONS rows and their REDACTED_NOTES.

    An observation with a note that is not in `redacted` comes out withheld: no clear text can pass.
    """
    clean = _clean_texts(observations, _OBSERVATION_TEXTS, identifiers, policy, key)
    rows = clean.join(first_days, on="patient_id", how="left", maintain_order="left")
    effective, issued = pl.col("effective_date").dt.date(), pl.col("issued").dt.date()
    table = rows.with_columns(_shift_column(rows["patient_id"], key)).select(
        pl.Series("observation_id", pseudonyms(key, "observation", rows["observation_id"])),
        pl.Series("patient_id", pseudonyms(key, "patient", rows["patient_id"])),
        pl.Series("encounter_id", pseudonyms(key, "encounter", rows["encounter_id"])),
        _code("status"),
        "category",
        _code("code"),
        _year_of(effective, policy).alias("effective_year"),
        _shifted(effective, policy).alias("effective_date"),
        _shifted(issued, policy).alias("issued_date"),
        (effective - pl.col("first_day")).dt.total_days().cast(pl.Int32).alias("day"),
        _named("performer_id", key, "clinician", rows["performer_name"]),
        *_OBSERVATION_TEXTS[:-1],
        pl.col("notes").is_not_null().alias("has_note"),
    )
    notes = redacted.select("observation_id", "status", "reason", "note").rename(
        {"status": "note_status", "reason": "note_reason"}
    )
    joined = table.join(notes, on="observation_id", how="left", maintain_order="left")
    lost = pl.col("has_note") & pl.col("note_status").is_null()
    return _finished(
        joined.with_columns(
            pl.when(lost).then(pl.lit("withheld")).otherwise("note_status").alias("note_status"),
            pl.when(lost)
            .then(pl.lit("the note was not redacted"))
            .otherwise("note_reason")
            .alias("note_reason"),
        ),
        "observations",
    )


def first_days_of(encounters: pl.DataFrame, observations: pl.DataFrame) -> pl.DataFrame:
    """Return patient_id, first_day: the patient's first day with an encounter or observation."""
    parts = [
        table.select("patient_id", pl.col(column).dt.date().alias("first_day"))
        for table, column in ((encounters, "period_start"), (observations, "effective_date"))
    ]
    return pl.concat(parts).group_by("patient_id").agg(pl.col("first_day").min()).sort("patient_id")


def _clean_texts(
    table: pl.DataFrame, columns: Sequence[str], identifiers: pl.DataFrame, policy: Policy, key: bytes
) -> pl.DataFrame:
    """Redact words in structured columns as notes are; numbers and short codes stay as they are.

    A text that cannot be redacted becomes null. Each text of a patient is read once.
    """
    texts = pl.concat(
        [
            table.select("patient_id", pl.col(column).alias("text")).filter(_is_words("text"))
            for column in columns
        ]
    ).unique(maintain_order=True)
    table = _without_own_numbers(table, columns, identifiers)
    if texts.is_empty():
        return table
    numbered = texts.with_row_index("note_id").with_columns(pl.col("note_id").cast(pl.String))
    outcome = redact(numbered, identifiers, policy, key).notes
    cleaned = texts.with_columns(outcome["text"].alias("clean"))
    for column in columns:
        joined = table.select("patient_id", pl.col(column).alias("text")).join(
            cleaned, on=["patient_id", "text"], how="left", maintain_order="left"
        )
        new = joined.select(pl.when(_is_words("text")).then("clean").otherwise("text").alias(column))
        table = table.with_columns(new[column])
    return table


def _without_own_numbers(
    table: pl.DataFrame, columns: Sequence[str], identifiers: pl.DataFrame
) -> pl.DataFrame:
    """A long number that is one of the patient's own identifiers becomes null."""
    for column in columns:
        long = pl.col(column).str.contains(_NUMBER) & (
            pl.col(column).str.count_matches(r"\d") >= _LONG_NUMBER
        )
        cells = (
            table.with_row_index("row").filter(long).select("row", "patient_id", pl.col(column).alias("text"))
        )
        own = cells["row"].gather(detect_known(cells, identifiers)["text_id"].unique())
        row = pl.int_range(pl.len(), dtype=pl.UInt32)
        table = table.with_columns(pl.when(~row.is_in(own.implode())).then(pl.col(column)).alias(column))
    return table


def _is_words(column: str) -> pl.Expr:
    """Whether a cell is anything but one number with its sign and decimals."""
    return pl.col(column).is_not_null() & ~pl.col(column).str.contains(_NUMBER)


def _code(column: str) -> pl.Expr:
    """A coded value as it is; null where it does not look like a code (nobody knows what it would say)."""
    is_code = pl.col(column).str.contains(_CODE) & (pl.col(column).str.count_matches(r"\d") < 7)
    return pl.when(is_code).then(pl.col(column)).alias(column)


def _codes(column: str) -> pl.Expr:
    """Codes of a list that look like codes: SNOMED CT and ICD codes do, sentences do not."""
    return pl.col(column).list.eval(pl.element().filter(pl.element().str.contains(_CODE))).alias(column)


def _named(alias: str, key: bytes, scope: str, names: pl.Series) -> pl.Series:
    """Pseudonyms of names, the same however a name is cased or accented."""
    table = {name: folded(name.strip()) for name in names.drop_nulls().unique()}
    plain = names.replace_strict(
        {k: v or None for k, v in table.items()}, default=None, return_dtype=pl.String
    )
    return pseudonyms(key, scope, plain).alias(alias)


def _shift_column(patient_ids: pl.Series, key: bytes) -> pl.Series:
    days = {value: shift_days(key, str(value)) for value in patient_ids.unique()}
    return patient_ids.replace_strict(days, default=None, return_dtype=pl.Int32).alias("shift")


def _shifted(day: pl.Expr, policy: Policy) -> pl.Expr:
    if not policy.shift_dates:
        return pl.lit(None, dtype=pl.Date)
    return day + pl.duration(days=pl.col("shift"))


def _year_of(day: pl.Expr, policy: Policy) -> pl.Expr:
    return (_shifted(day, policy) if policy.shift_dates else day).dt.year().cast(pl.Int16)


def _age(born: pl.Expr, day: pl.Expr) -> pl.Expr:
    before_birthday = (day.dt.month() * 100 + day.dt.day()) < (born.dt.month() * 100 + born.dt.day())
    return day.dt.year() - born.dt.year() - before_birthday.cast(pl.Int32)


def _finished(table: pl.DataFrame, name: str) -> pl.DataFrame:
    schema: Mapping[str, pl.DataType | type[pl.DataType]] = PUBLISHED_TABLES[name].schema
    return table.select(pl.col(column).cast(dtype) for column, dtype in schema.items())


def deidentified(
    source: Mapping[str, pl.DataFrame], redacted: pl.DataFrame, policy: Policy, key: bytes
) -> dict[str, pl.DataFrame]:
    """Return the published tables of the source tables (patients, encounters, observations) and redacted notes."""
    patients, encounters, observations = (source[name] for name in PUBLISHED_TABLES)
    identifiers = record_identifiers(patients, encounters, observations)
    first_days = first_days_of(encounters, observations)
    as_of = last_date(encounters, observations)
    return {
        "patients": deidentified_patients(patients, as_of, identifiers, policy, key),
        "encounters": deidentified_encounters(encounters, first_days, identifiers, policy, key),
        "observations": deidentified_observations(
            observations, redacted, first_days, identifiers, policy, key
        ),
    }


def read_sources(patients: Path, encounters: Path, observations: Path, plan: Path) -> dict[str, pl.DataFrame]:
    """Return the source tables of all planned shards in three folders, whole."""
    folders = {"patients": patients, "encounters": encounters, "observations": observations}
    return {name: read_shards(folder, plan, SOURCE_TABLES[name]) for name, folder in folders.items()}


def read_shards(folder: Path, plan: Path, contract: Contract) -> pl.DataFrame:
    """Return the rows of the planned shards in a folder, whole."""
    parts = (artifacts.read(path, contract) for path in planned_files(folder, plan))
    return pl.concat([contract.empty(), *parts])


def run(
    *,
    patients: Path,
    encounters: Path,
    observations: Path,
    redacted: Path,
    audits: Path,
    plan: Path,
    published_patients: Path,
    published_encounters: Path,
    published_observations: Path,
    audit: Path,
    config: NotesPolicyStage,
) -> Receipt:
    """De-identify the tables of all shards and put the redacted notes and the audit of all shards together.

    `patients`, `encounters`, `observations`, `redacted` and `audits` are folders; `plan` names the shards in them.
    """
    policy, key = Policy.of(config.policy), load_key(config.policy.key_file)
    source = read_sources(patients, encounters, observations, plan)
    notes = read_shards(redacted, plan, REDACTED_NOTES)
    _assert_policy(notes, policy)
    tables = deidentified(source, notes, policy, key)
    paths = {
        "patients": published_patients,
        "encounters": published_encounters,
        "observations": published_observations,
    }
    for name, table in tables.items():
        artifacts.write(table, paths[name], PUBLISHED_TABLES[name])
    artifacts.write(read_shards(audits, plan, AUDIT), audit, AUDIT)
    withheld = tables["observations"]["note_status"].eq("withheld").sum()
    counts = {name: table.height for name, table in tables.items()} | {"withheld": int(withheld or 0)}
    return Receipt(counts=counts)


def _assert_policy(notes: pl.DataFrame, policy: Policy) -> None:
    """Notes of another policy or key would break the join by pseudonym or the promise of one policy."""
    others = notes.filter(pl.col("policy") != policy.version).height
    if others:
        raise RiskflowError(
            f"{others} redacted notes are of another policy than notes.policy",
            "run the redact stage again with this policy",
        )
