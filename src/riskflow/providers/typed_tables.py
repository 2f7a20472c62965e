"""The engine of ingest: typed rows, rules, quarantine and duplicates, the same for every raw table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from riskflow.contracts.base import Contract
from riskflow.providers.raw import LINE, SOURCE
from riskflow.quarantine import QUARANTINE, Rule, assert_conserved, split

_PLACE = [pl.col(SOURCE).cast(pl.Categorical), pl.col(LINE)]


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
