"""DIY Tables 4-8, 11, 12 → the ordered statements of the adult, child and infant models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import polars as pl

from riskflow.contracts.members_tables import MODELS, PHASES
from riskflow.members.tables import raw
from riskflow.members.tables.language import Statement, always, statement

_DEFINITIONS = {"adult": "6", "child": "7", "infant": "8"}
# What a variable's name says about the step that computes it; the first pattern that matches.
_PHASE_OF = (
    (re.compile(r"^RXC_\d\d_X_"), "rxc_interaction"),
    (re.compile(r"^SEVERE_V3$"), "severe_v3"),
    (re.compile(r"^G\d\d"), "group"),
    (re.compile(r"^HCC_CNT$"), "count"),
    (re.compile(r"^(SEVERE|TRANSPLANT|INT_GROUP|IHCC_SEVERITY)"), "severity"),
    (re.compile(r"^(ED_|HCC_ED)"), "duration"),
    (re.compile(r"^IHCC_"), "maturity"),
    (re.compile(r"_X_SEVERITY\d$"), "interaction"),
)
# Not statements: the score formula itself, and RXC_01-10 (they come from the drug lists).
_SKIPPED = re.compile(r"^(CSR_ADJUSTED_)?SCORE_|^RXC_\d\d$")


def statements(
    base: Path, lists: Path | None, extra: dict[str, list[str]], variables: dict[str, frozenset[str]]
) -> pl.DataFrame:
    """Return the statements of all models in their order.

    `base` has the DIY tables; `lists`, if given, the newer hierarchies and groups; `extra`: definitions per
    model that no table holds (ACF of 2026); `variables`: variables with coefficients per model (for HCC_CNT).
    """
    rows: list[tuple[object, ...]] = []
    for model in MODELS:
        found = [
            *_hierarchies(base, lists),
            *_exclusions(base, model),
            *_demographics(base, model),
            *_groups(lists, model),
            *_definitions(base, model, variables[model], with_groups=lists is None),
            *(statement(text, "acf") for text in extra.get(model, [])),
        ]
        if model != "adult":
            found = [one for one in found if one.phase != "rxc_hierarchy"]
        rows += _rows(model, _merged(sorted(found, key=lambda one: PHASES.index(one.phase))))
    schema = {
        "model": pl.String,
        "position": pl.Int16,
        "phase": pl.String,
        "part": pl.String,
        "clause": pl.Int16,
        "variable": pl.String,
        "low": pl.Int16,
        "high": pl.Int16,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _hierarchies(base: Path, lists: Path | None) -> list[Statement]:
    if lists is not None:
        listed = raw.json_file(lists / "hierarchy_definition.json")
        return [_zeroing(top, entry["remove_code"]) for top, entry in listed.items()]
    diy = raw.table(base, "4")
    column = next(name for name in diy.columns if name.endswith("_hcc"))
    hccs = diy.filter(pl.col("hccs_to_zero").is_not_null()).select(column, "hccs_to_zero").rows()
    rxcs = raw.table(base, "11")
    column = next(name for name in rxcs.columns if name.startswith("set_to_0"))
    found = rxcs.filter(pl.col(column).is_not_null()).select("rxc", column).rows()
    return [_zeroing(raw.hcc(top), [raw.hcc(x) for x in low.split(",")]) for top, low in hccs] + [
        _zeroing(raw.rxc(top), [raw.rxc(x) for x in low.split(",")]) for top, low in found
    ]


def _zeroing(top: str, zeroed: Iterable[str]) -> Statement:
    phase = "rxc_hierarchy" if top.startswith("RXC") else "hierarchy"
    return statement(f"if {top} = 1 then do; {' '.join(f'{name} = 0;' for name in zeroed)} end", phase)


def _exclusions(base: Path, model: str) -> list[Statement]:
    """Payment HCCs that a model leaves out (Table 12)."""
    table = raw.table(base, "12")
    hccs = table.filter(pl.col(f"payment_hccs_excluded_from_{model}_model") == "X").to_series(0)
    return [always(raw.hcc(number), 0, "exclusion") for number in hccs]


def _demographics(base: Path, model: str) -> list[Statement]:
    """Age-sex variables (Table 5): "Male, 21 <= AGE_LAST <= 24"."""
    found = []
    for models, name, text in raw.table(base, "5").select("model", "variable", "definition").iter_rows():
        sex, _, ages = text.partition(",")
        if models.lower() == model and sex in ("Male", "Female"):
            found.append(statement(f"if {sex.upper()} = 1 and {ages} then {name} = 1", "demographic"))
    return found


def _groups(lists: Path | None, model: str) -> list[Statement]:
    if lists is None:
        return []
    listed = raw.json_file(lists / "group_definition.json").get(model.capitalize(), {})
    return [statement(f"if {hcc} = 1 then do; {hcc} = 0; {g} = 1; end", "group") for hcc, g in listed.items()]


def _definitions(base: Path, model: str, variables: frozenset[str], *, with_groups: bool) -> list[Statement]:
    found = []
    for _, name, text in raw.definitions(base, _DEFINITIONS[model]):
        if _SKIPPED.match(name):
            continue
        phase = next(phase for pattern, phase in _PHASE_OF if pattern.search(name))
        if phase != "group" or with_groups:
            found.append(statement(text, phase, variables))
    return found


def _merged(found: Sequence[Statement]) -> list[Statement]:
    """Join neighbours that set the same variable to 1 under one clause each into one statement."""

    def key(one: Statement) -> object:
        plain = len(one.clauses) == 1 and len(one.sets) == 1 and one.sets[0][1] == 1
        return (one.phase, one.sets) if plain else id(one)

    joined = []
    for _, run in groupby(found, key=key):
        same = list(run)
        atoms = tuple(dict.fromkeys(a for one in same for clause in one.clauses for a in clause))
        joined.append(Statement(same[0].phase, (atoms,), same[0].sets) if len(same) > 1 else same[0])
    return joined


def _rows(model: str, found: Sequence[Statement]) -> Iterable[tuple[object, ...]]:
    for position, one in enumerate(found):
        for number, clause in enumerate(one.clauses):
            for atom in clause:
                yield model, position, one.phase, "if", number, atom.variable, atom.low, atom.high
        for name in one.summands:
            yield model, position, one.phase, "sum", 0, name, 1, 1
        for name, value in one.sets:
            yield model, position, one.phase, "then", 0, name, value, value
