"""A model's statements as an array program: each statement is a few bitwise operations on rows of 0/1.

Values are a uint8 array, one row per variable and one column per enrollee. The rows of `Layout.shared`
(HCCs, RXCs, inputs) come first and are the same in every model; derived variables follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from riskflow.members.tables.load import INPUTS, TableSet

Values = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]
Test = tuple[int, int, int]
Watch = Callable[["Step", Values], None]


@dataclass(frozen=True)
class Step:
    """One statement: clauses of (row, low, high) tests, rows set to 1 and to 0, or a sum of rows."""

    phase: str
    clauses: tuple[tuple[Test, ...], ...]
    ones: tuple[int, ...]
    zeros: tuple[int, ...]
    summands: Rows | None = None


@dataclass(frozen=True)
class Program:
    """The statements of one model in order, and the rows that have coefficients, in the order of their names."""

    model: str
    variables: tuple[str, ...]
    steps: tuple[Step, ...]
    numeric: frozenset[int]
    paid: Rows
    paid_names: tuple[str, ...]

    def row(self, variable: str) -> int:
        """Return the row of a variable."""
        return self.variables.index(variable)


@lru_cache(maxsize=16)
def shared_variables(tables: TableSet) -> tuple[str, ...]:
    """Return the variables that diagnoses, drugs and enrolment set: HCCs, then RXCs and ACFs, then inputs."""
    hccs = tables.categories["variable"].unique().sort()
    drugs = tables.drugs["variable"].unique().sort()
    return (*hccs, *drugs, *INPUTS)


@lru_cache(maxsize=48)
def compiled(tables: TableSet, model: str) -> Program:
    """Return a model's program."""
    shared = shared_variables(tables)
    statements = tables.statements.filter(model=model)
    derived = set(statements["variable"]) - set(shared)
    variables = (*shared, *sorted(derived))
    rows = {name: row for row, name in enumerate(variables)}
    numeric = {"AGE_LAST", "ENROLDURATION", *_summed(statements)}
    paid = tables.coefficients.filter(model=model)["variable"].unique().sort().to_list()
    # in the order of the contract's key: the lines of a statement, and of a clause, follow each other
    lines = map(_Line._make, statements.select(_Line._fields).iter_rows())
    steps = (_step(list(each), rows) for _, each in groupby(lines, key=lambda line: line.position))
    return Program(
        model=model,
        variables=variables,
        steps=tuple(steps),
        numeric=frozenset(rows[name] for name in numeric if name in rows),
        paid=np.array([rows[name] for name in paid], np.intp),
        paid_names=tuple(paid),
    )


def run(program: Program, values: Values, watch: Watch | None = None) -> None:
    """Run the statements on a block of enrollees, in place; `watch` is called after each one."""
    for step in program.steps:
        if step.summands is not None:
            values[step.ones[0]] = np.add.reduce(values[step.summands], axis=0, dtype=np.uint8)
        else:
            _apply(step, values, program.numeric)
        if watch is not None:
            watch(step, values)


def _apply(step: Step, values: Values, numeric: frozenset[int]) -> None:
    if not step.clauses:
        for row in step.zeros:
            values[row] = 0
        for row in step.ones:
            values[row] = 1
        return
    holds = reduce(np.bitwise_and, (_any_of(clause, values, numeric) for clause in step.clauses))
    if not holds.any():
        return
    fails = holds ^ np.uint8(1)  # before anything is set: `holds` may be a view of a row that is set here
    for row in step.ones:
        values[row] |= holds
    for row in step.zeros:
        values[row] &= fails


def _any_of(clause: tuple[Test, ...], values: Values, numeric: frozenset[int]) -> Values:
    return reduce(np.bitwise_or, (_holds(test, values, numeric) for test in clause))


def _holds(test: Test, values: Values, numeric: frozenset[int]) -> Values:
    row, low, high = test
    value: Values = values[row]
    if row in numeric:
        return ((value >= low) & (value <= high)).view(np.uint8)
    return value if low == 1 else value ^ np.uint8(1)


def _summed(statements: pl.DataFrame) -> list[str]:
    positions = statements.filter(part="sum")["position"].unique().to_list()
    return statements.filter(pl.col("position").is_in(positions), pl.col("part") == "then")[
        "variable"
    ].to_list()


class _Line(NamedTuple):
    """A row of the table of statements."""

    position: int
    phase: str
    part: str
    clause: int
    variable: str
    low: int
    high: int


def _step(lines: Sequence[_Line], rows: Mapping[str, int]) -> Step:
    conditions = [line for line in lines if line.part == "if"]
    then = [line for line in lines if line.part == "then"]
    summands = [rows[line.variable] for line in lines if line.part == "sum"]
    return Step(
        phase=lines[0].phase,
        clauses=tuple(
            tuple((rows[line.variable], line.low, line.high) for line in clause)
            for _, clause in groupby(conditions, key=lambda line: line.clause)
        ),
        ones=tuple(rows[line.variable] for line in then if line.low == 1),
        zeros=tuple(rows[line.variable] for line in then if line.low == 0),
        summands=np.array(summands, np.intp) if summands else None,
    )
