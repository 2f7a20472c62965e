"""The four raw tables of the provider track: typed columns and the rules of their rows, in the order tried."""

from __future__ import annotations

import hashlib

import polars as pl

from riskflow.contracts.providers_sources import EXCLUSIONS, OWNERSHIP, PAYMENTS, REGISTRY
from riskflow.providers import npi as npi_rules
from riskflow.providers import parse
from riskflow.providers.typed_tables import TableRules
from riskflow.quarantine import Rule

FIRST_YEAR, LAST_YEAR = 1990, 2100
FLAG_COLUMNS = (
    "holding_company", "chain_home_office", "for_profit", "non_profit",
    "private_equity", "reit", "investment_firm", "management_services",
)  # fmt: skip
_WRITTEN = "__written_"  # whether the raw cell says anything


def _written(column: str) -> pl.Expr:
    return parse.text(column).is_not_null().alias(_WRITTEN + column)


def _readable(table: str, column: str, meaning: str) -> Rule:
    """The typed column may be null only where nothing is written."""
    passes = pl.col(column).is_not_null() | ~pl.col(_WRITTEN + column)
    return Rule(f"{table}.{column}_unreadable", f"{column} is {meaning}, or empty", passes)


def _newest_first(column: str) -> pl.Expr:
    return -pl.col(column).cast(pl.Int64).fill_null(-1_000_000)


# --- registry ---------------------------------------------------------------------------------------------


def _registry(schema: pl.Schema, date_format: str) -> list[pl.Expr]:
    npi = parse.npi("npi", schema["npi"])
    kind = parse.text("entity_type").str.to_uppercase()
    return [
        npi.alias("npi"),
        parse.text("taxonomy").alias("taxonomy"),
        parse.state("state").alias("state"),
        pl.when(kind.is_in(["1", "I", "INDIVIDUAL", "NPI-1"]))
        .then(pl.lit("individual"))
        .when(kind.is_in(["2", "O", "ORGANIZATION", "NPI-2"]))
        .then(pl.lit("organization"))
        .alias("entity_type"),
        parse.text("display_name").alias("display_name"),
        parse.date("updated_at", schema["updated_at"], date_format).alias("updated_at"),
        npi_rules.is_valid(npi).alias("npi_luhn_ok"),
        parse.has_date_text("updated_at").alias(_WRITTEN + "updated_at"),
    ]


REGISTRY_RULES = (
    Rule("registry.npi_invalid", "npi is ten digits and does not begin with 0", pl.col("npi").is_not_null()),
    _readable("registry", "updated_at", "a date"),
)

# --- payments ---------------------------------------------------------------------------------------------


def _payments(schema: pl.Schema, date_format: str) -> list[pl.Expr]:
    return [
        parse.npi("npi", schema["npi"]).alias("npi"),
        parse.whole("year", schema["year"]).cast(pl.Int16, strict=False).alias("year"),
        parse.text("program").alias("program"),
        parse.cents("payments", schema["payments"]).alias("payments_cents"),
        parse.whole("claims", schema["claims"]).alias("claims"),
        parse.whole("beneficiaries", schema["beneficiaries"]).alias("beneficiaries"),
        pl.col("npi").is_not_null().alias(_WRITTEN + "npi"),
        pl.col("claims").is_not_null().alias(_WRITTEN + "claims"),
        pl.col("beneficiaries").is_not_null().alias(_WRITTEN + "beneficiaries"),
    ]


def _payment_number(payments: pl.DataFrame) -> pl.Series:
    """Return npi, year and rank of the program in one Int64, which orders rows as these three do."""
    programs = pl.Enum(payments["program"].unique().sort())
    program = pl.col("program").cast(programs).to_physical().cast(pl.Int64)
    return payments.select((pl.col("npi") * 4_096 + pl.col("year")) * 65_536 + program).to_series()


PAYMENT_RULES = (
    Rule("payments.npi_missing", "npi is there: a row without one is a total", pl.col(_WRITTEN + "npi")),
    Rule("payments.npi_invalid", "npi is ten digits and does not begin with 0", pl.col("npi").is_not_null()),
    Rule(
        "payments.year_invalid",
        f"year is a calendar year from {FIRST_YEAR} to {LAST_YEAR}",
        pl.col("year").is_between(FIRST_YEAR, LAST_YEAR),
    ),
    Rule("payments.program_missing", "program is there", pl.col("program").is_not_null()),
    Rule(
        "payments.amount_unreadable",
        "payments is an amount in dollars",
        pl.col("payments_cents").is_not_null(),
    ),
    _readable("payments", "claims", "a whole number"),
    _readable("payments", "beneficiaries", "a whole number"),
    Rule(
        "payments.count_negative",
        "claims and beneficiaries are 0 or more",
        (pl.col("claims").fill_null(0) >= 0) & (pl.col("beneficiaries").fill_null(0) >= 0),
    ),
)

# --- exclusions -------------------------------------------------------------------------------------------


def _exclusions(schema: pl.Schema, date_format: str) -> list[pl.Expr]:
    written_npi = parse.text("npi")
    has_npi = (written_npi.is_not_null() & ~written_npi.str.contains("^0+$")).fill_null(False)
    dates = ["dob", "excl_date", "rein_date", "waiver_date"]
    person = pl.concat_str(
        parse.text("last_name"), parse.text("first_name"), separator=", ", ignore_nulls=True
    )
    person = pl.when(person.str.len_bytes() > 0).then(person)
    columns = {
        "npi": parse.npi("npi", schema["npi"]),
        "name": pl.coalesce(parse.text("name"), person),
        "state": parse.state("state"),
        "excl_type": parse.text("excl_type"),
        "waived": parse.truth("waiver") | parse.has_date_text("waiver_date"),
        "waiver_state": parse.text("waiver_state"),
    } | {name: parse.date(name, schema[name], date_format) for name in dates}
    # the id is filled in after deduplication of what it is made of
    return [
        pl.lit(None, pl.String).alias("exclusion_id"),
        *[columns[name].alias(name) for name in EXCLUSIONS.columns if name != "exclusion_id"],
        has_npi.alias(_WRITTEN + "npi"),
        *[parse.has_date_text(name).alias(_WRITTEN + name) for name in dates],
    ]


EXCLUSION_RULES = (
    _readable("exclusions", "npi", "ten digits, or zeros for none"),
    Rule("exclusions.date_missing", "excl_date is a date", pl.col("excl_date").is_not_null()),
    *[
        _readable("exclusions", name, "a date, or zeros for none")
        for name in ("dob", "rein_date", "waiver_date")
    ],
    Rule(
        "exclusions.nobody_named",
        "a name or an NPI is there",
        pl.col("name").is_not_null() | pl.col("npi").is_not_null(),
    ),
)
_EXCLUSION_IDENTITY = ("npi", "name", "dob", "state", "excl_type", "excl_date")


def with_exclusion_ids(exclusions: pl.DataFrame) -> pl.DataFrame:
    """Fill exclusion_id: X and the first 16 hex digits of the sha256 of who, why and since when."""
    parts = [pl.col(name).cast(pl.String).fill_null("") for name in _EXCLUSION_IDENTITY]
    keys = exclusions.select(pl.concat_str(parts, separator="\x1f")).to_series().to_list()
    ids = ["X" + hashlib.sha256(key.encode()).hexdigest()[:16] for key in keys]
    return exclusions.with_columns(pl.Series("exclusion_id", ids, dtype=pl.String)).sort("exclusion_id")


# --- ownership --------------------------------------------------------------------------------------------


def _ownership(schema: pl.Schema, date_format: str) -> list[pl.Expr]:
    kind = parse.text("owner_kind").str.to_uppercase().fill_null("O")
    by_name = pl.concat_str(
        pl.lit("name:"), parse.exact_name("owner_name"), pl.lit("|"), parse.state("owner_state").fill_null("")
    )
    owned = pl.concat_str(pl.lit("npi:"), parse.npi("owned_npi", schema["owned_npi"]).cast(pl.String))
    flags = [pl.when(parse.truth(name)).then(pl.lit(name)) for name in sorted(FLAG_COLUMNS)]
    columns = {
        "owner_id": pl.coalesce(parse.text("owner_id"), by_name),
        "owner_kind": pl.when(kind.is_in(["O", "ORGANIZATION", "2"]))
        .then(pl.lit("organization"))
        .when(kind.is_in(["I", "P", "PERSON", "INDIVIDUAL", "1"]))
        .then(pl.lit("person")),
        "owner_name": parse.text("owner_name"),
        "owner_npi": parse.npi("owner_npi", schema["owner_npi"]),
        "owner_state": parse.state("owner_state"),
        "owner_dob": parse.date("owner_dob", schema["owner_dob"], date_format),
        "owned_id": pl.when(parse.text("owned_npi").is_not_null())
        .then(owned)
        .otherwise(parse.text("owned_id")),
        "owned_npi": parse.npi("owned_npi", schema["owned_npi"]),
        "owned_name": parse.text("owned_name"),
        "owned_ccn": parse.text("owned_ccn"),
        "role": parse.text("role").str.to_uppercase(),
        "pct": parse.percentage("pct", schema["pct"]),
        "since": parse.date("since", schema["since"], date_format),
        "flags": pl.concat_str(flags, separator=",", ignore_nulls=True),
    }
    return [
        *[columns[name].alias(name) for name in OWNERSHIP.columns],
        _written("owner_npi"),
        _written("owned_npi"),
        _written("pct"),
        *[parse.has_date_text(name).alias(_WRITTEN + name) for name in ("since", "owner_dob")],
    ]


OWNERSHIP_RULES = (
    Rule("ownership.owner_missing", "an owner id or name is there", pl.col("owner_id").is_not_null()),
    Rule(
        "ownership.owner_kind_unknown",
        "owner_kind is organization or person",
        pl.col("owner_kind").is_not_null(),
    ),
    _readable("ownership", "owned_npi", "ten digits"),
    Rule("ownership.owned_missing", "an owned NPI or id is there", pl.col("owned_id").is_not_null()),
    _readable("ownership", "owner_npi", "ten digits"),
    Rule("ownership.role_missing", "role is there", pl.col("role").is_not_null()),
    _readable("ownership", "pct", "a number from 0 to 100"),
    _readable("ownership", "since", "a date"),
    _readable("ownership", "owner_dob", "a date"),
)

EXCLUSION_OPTIONAL = (
    "name", "last_name", "first_name", "dob", "state", "excl_type",
    "rein_date", "waiver", "waiver_date", "waiver_state",
)  # fmt: skip
OWNERSHIP_OPTIONAL = (
    "owner_id", "owner_kind", "owner_npi", "owner_state", "owner_dob",
    "owned_id", "owned_name", "owned_ccn", "pct", "since", *FLAG_COLUMNS,
)  # fmt: skip

TABLES = {
    "registry": TableRules(
        contract=REGISTRY,
        required=("npi", "taxonomy", "state"),
        optional=("entity_type", "display_name", "updated_at"),
        typed=_registry,
        rules=REGISTRY_RULES,
        repeats=Rule(
            "registry.older_record", "the NPI has a row that was updated later, or is the same", pl.lit(False)
        ),
        same=("npi",),
        order=(_newest_first("updated_at"),),
    ),
    "payments": TableRules(
        contract=PAYMENTS,
        required=("npi", "year", "program", "payments", "claims"),
        optional=("beneficiaries",),
        typed=_payments,
        rules=PAYMENT_RULES,
        repeats=Rule("payments.repeated_row", "no other row is equal in every column", pl.lit(False)),
        same=PAYMENTS.key,
        packed=_payment_number,
    ),
    "exclusions": TableRules(
        contract=EXCLUSIONS,
        required=("npi", "excl_date"),
        optional=EXCLUSION_OPTIONAL,
        typed=_exclusions,
        rules=EXCLUSION_RULES,
        repeats=Rule("exclusions.repeated_row", "the same exclusion is not listed again", pl.lit(False)),
        same=_EXCLUSION_IDENTITY,
        order=(_newest_first("rein_date"), _newest_first("waiver_date")),
        finish=with_exclusion_ids,
    ),
    "ownership": TableRules(
        contract=OWNERSHIP,
        required=("owner_name", "owned_npi", "role"),
        optional=OWNERSHIP_OPTIONAL,
        typed=_ownership,
        rules=OWNERSHIP_RULES,
        repeats=Rule(
            "ownership.repeated_row",
            "no other row has the same owner, owned, role, percentage and date",
            pl.lit(False),
        ),
        same=OWNERSHIP.key,
    ),
}
