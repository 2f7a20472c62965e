"""From raw provider tables to typed, validated, deduplicated ones; every bad row goes to quarantine by a rule.

Read = kept + quarantined, always. The rules per table are the public constants below, in the order in
which they are tried. Decisions that the sources leave open:

- A negative payment total is a net reversal: a fact, not dirt. It is kept, with its sign.
- A row without an NPI in payments is a total of the release: quarantined.
- Rows that repeat another one in every kept column are quarantined; unequal rows of one
  (npi, year, program) are parts and are all kept.
- Of several registry rows of an NPI the one updated last is kept.
- An exclusion repeated by a later supplement is kept once, with the latest reinstatement and waiver.
- An exclusion without a date cannot be said to be active or not: quarantined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.providers import IngestStage, TableSource
from riskflow.contracts.base import Contract
from riskflow.contracts.providers_sources import EXCLUSIONS, OWNERSHIP, PAYMENTS, REGISTRY
from riskflow.providers import demo_layout, parse
from riskflow.providers import npi as npi_rules
from riskflow.providers.raw import LINE, SOURCE, batches
from riskflow.quarantine import QUARANTINE, Rule, assert_conserved, split
from riskflow.receipts import Receipt

FIRST_YEAR, LAST_YEAR = 1990, 2100
FLAG_COLUMNS = (
    "holding_company", "chain_home_office", "for_profit", "non_profit",
    "private_equity", "reit", "investment_firm", "management_services",
)  # fmt: skip
_PLACE = [pl.col(SOURCE).cast(pl.Categorical), pl.col(LINE)]
_WRITTEN = "__written_"  # whether the raw cell says anything


@dataclass(frozen=True)
class Ingested:
    """A typed table, its quarantine rows, and how many rows were read."""

    kept: pl.DataFrame
    quarantined: pl.DataFrame
    read: int


@dataclass(frozen=True)
class TableRules:
    """How one raw table becomes typed: columns, typed expressions per raw schema, row rules, duplicates."""

    contract: Contract
    required: tuple[str, ...]
    optional: tuple[str, ...]
    typed: Callable[[pl.Schema, str], list[pl.Expr]]
    rules: tuple[Rule, ...]
    repeats: Rule
    same: tuple[str, ...]
    order: tuple[pl.Expr, ...] = ()
    packed: Callable[[pl.DataFrame], pl.Series] | None = None
    finish: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame


def ingest(paths: Sequence[Path], table: TableSource, name: str) -> Ingested:
    """Read, type, check and deduplicate one raw table: registry, payments, exclusions or ownership."""
    rules = TABLES[name]
    raw = batches(paths, table, name, rules.required, rules.optional)
    return typed_table(raw, rules, table.date_format)


def typed_table(raw: Iterable[pl.DataFrame], rules: TableRules, date_format: str) -> Ingested:
    """Return the typed table of raw batches (columns as `raw.batches` yields them)."""
    kept, bad, read = [], [QUARANTINE.empty()], 0
    for batch in raw:
        good, broken = _checked(batch, rules, date_format)
        kept.append(good)
        bad.append(broken)
        read += batch.height
    empty = [
        pl.col(SOURCE),
        pl.col(LINE),
        *[pl.lit(None, kind).alias(n) for n, kind in rules.contract.schema.items()],
    ]
    typed = (
        pl.concat(kept)
        if kept
        else pl.DataFrame(schema={SOURCE: pl.Categorical, LINE: pl.UInt32}).select(empty)
    )
    del kept
    single, repeated = _deduplicated(typed, rules)
    quarantined = pl.concat([*bad, repeated]).sort(QUARANTINE.key)
    assert_conserved(read, single.height, quarantined.height, f"{rules.contract.name} rows")
    return Ingested(rules.finish(single), quarantined, read)


def _checked(batch: pl.DataFrame, rules: TableRules, date_format: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the typed rows that pass every rule, and the quarantine rows of the others (with their raw cells)."""
    parsed = batch.select(*_PLACE, *rules.typed(batch.schema, date_format))
    passes = parsed.select(
        pl.all_horizontal([rule.passes.fill_null(False) for rule in rules.rules])
    ).to_series()
    columns = [SOURCE, LINE, *rules.contract.columns]
    if passes.all():
        return parsed.select(columns), QUARANTINE.empty()
    broken = split(parsed.filter(~passes), rules.rules, keep_row=False).quarantined
    cells = batch.filter(~passes).select(
        pl.struct(rules.required + rules.optional).struct.json_encode().alias("row")
    )
    return parsed.filter(passes).select(columns), broken.with_columns(cells.to_series())


def _deduplicated(typed: pl.DataFrame, rules: TableRules) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return rows with unique `same` columns (the first in `order`), sorted by key, and quarantine for the rest.

    Rows are put in order of one number first (cheap at any size); only rows that share it are compared exactly.
    """
    number = rules.packed(typed) if rules.packed else typed.select(pl.struct(rules.same).hash()).to_series()
    place = number.arg_sort()
    ordered = number.gather(place)
    ties = ((ordered == ordered.shift(1)) | (ordered == ordered.shift(-1))).fill_null(False).arg_true()
    columns = list(rules.contract.columns)
    rest = [name for name in columns if name not in rules.same]
    several = typed[place.gather(ties)].with_columns(
        place.gather(ties).alias("__place"), ordered.gather(ties).alias("__n")
    )
    several = several.sort("__n", *rules.same, *rules.order, *rest, SOURCE, LINE, nulls_last=False)
    unequal = [pl.col(name).ne_missing(pl.col(name).shift(1)) for name in rules.same]
    first = several.select(pl.any_horizontal([*unequal, pl.int_range(pl.len()) == 0])).to_series()
    rule = Rule(rules.repeats.id, rules.repeats.sentence, pl.lit(False))
    repeated = split(several.filter(~first).drop("__place", "__n"), [rule]).quarantined
    chosen = pl.repeat(True, len(place), eager=True).scatter(ties, first)
    single = typed.select(columns)[place.scatter(ties, several["__place"]).filter(chosen)]
    return single if rules.packed else single.sort(rules.contract.key, nulls_last=False), repeated


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


def run(*, source: list[Path], table: str, output: Path, quarantine: Path, config: IngestStage) -> Receipt:
    """Ingest one raw table from its files; write the typed table and its quarantine."""
    layout = _layout(source, table, config)
    result = ingest(source, layout, table)
    artifacts.write(result.kept, output, TABLES[table].contract)
    artifacts.write(result.quarantined, quarantine, QUARANTINE)
    bad = result.quarantined.height
    by_rule = result.quarantined.group_by("rule_id").len().sort("rule_id").rows()
    counts = {"read": result.read, "kept": result.kept.height, "quarantined": bad}
    return Receipt(counts=counts, facts={"quarantined_by_rule": dict(by_rule), "nulls": _nulls(result.kept)})


def _layout(source: Sequence[Path], table: str, config: IngestStage) -> TableSource:
    if config.source.kind == "demo":
        return demo_layout.sources(source[0].parent)[table]
    layout: TableSource = getattr(config.source, table)
    return layout


def _nulls(frame: pl.DataFrame) -> dict[str, int]:
    """Return how many rows of each column are null, where any is."""
    counts = frame.null_count().row(0, named=True)
    return {name: count for name, count in counts.items() if count}
