"""One member's score, step by step: what each diagnosis became, what was dropped or replaced, what it adds up to.

The trace is the engine's own program, run on one enrollee with a watcher after each statement; nothing is
computed a second time by other rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from riskflow.contracts.members_scores import KIND, REASONS
from riskflow.contracts.members_tables import MODELS
from riskflow.errors import RiskflowError
from riskflow.members.engine import program
from riskflow.members.engine.enrolment import Enrolment, enrolment
from riskflow.members.engine.evidence import mark_diagnoses, mark_drugs
from riskflow.members.engine.marks import Marks
from riskflow.members.engine.program import Program, Step, Values
from riskflow.members.engine.score import block_values, score
from riskflow.members.tables.load import TableSet

# What happened to a variable, by the step of the algorithm that set it to 0 (or to 1).
DROPPED = {
    "hierarchy": "dropped: a more severe HCC of its hierarchy is present",
    "rxc_hierarchy": "dropped: a stronger RXC is present",
    "exclusion": "dropped: not a payment HCC of this model",
    "acf": "dropped: the affiliated cost factor's condition does not hold",
    "severity": "dropped: a higher severity is present",
    "maturity": "dropped: another maturity or sex term takes its place",
}


@dataclass(frozen=True)
class Explanation:
    """Why a member's scores are what they are.

    spans: SCORES rows; variables: span_id, variable, label, coefficient; mapping: diagnosis_id, code,
    service_date, variable, label (diagnosis → HCC) and the same for drugs; events: position, phase, variable,
    label, event, because; rejected: REJECTED rows with service_date and the reason in words.
    """

    spans: pl.DataFrame
    variables: pl.DataFrame
    mapping: pl.DataFrame
    events: pl.DataFrame
    rejected: pl.DataFrame


def explain(
    member_id: str, spans: pl.DataFrame, diagnoses: pl.DataFrame, drugs: pl.DataFrame, tables: TableSet
) -> Explanation:
    """Return the trace of one member; the frames may hold other members too. An unknown member is an error."""
    spans, diagnoses, drugs = (
        _numbered(frame.filter(pl.col("member_id") == member_id), key)
        for frame, key in ((spans, None), (diagnoses, "diagnosis_id"), (drugs, "drug_id"))
    )
    if spans.is_empty():
        raise RiskflowError(
            "the member has no enrolment span in these data", "is the id right, and the run the right one?"
        )
    scored = score(spans, diagnoses, drugs, tables)
    if scored.scores.is_empty():
        raise RiskflowError(f"the member has no day enrolled in {tables.benefit_year}")
    enrolled = enrolment(spans, tables)
    return Explanation(
        spans=scored.scores,
        variables=_variables(scored.scores, tables),
        mapping=_mapping(spans, diagnoses, drugs, tables),
        events=pl.concat(
            [_events(enrolled, unit, diagnoses, drugs, tables) for unit in range(enrolled.units)]
        ),
        rejected=scored.rejected.join(
            _dates(diagnoses, drugs), on=["kind", "row_id"], how="left", maintain_order="left"
        ).with_columns(pl.col("reason").cast(pl.String).replace_strict(REASONS).alias("because")),
    )


def _dates(diagnoses: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """Return kind, row_id and service_date of all evidence."""
    return pl.concat(
        frame.select(
            pl.lit(kind, KIND).alias("kind"),
            pl.col(f"{kind}_id").cast(pl.Int64).alias("row_id"),
            _service_date(frame),
        )
        for kind, frame in (("diagnosis", diagnoses), ("drug", drugs))
    )


def _service_date(evidence: pl.DataFrame) -> pl.Expr:
    dated = "service_date" in evidence.columns
    return (pl.col("service_date") if dated else pl.lit(None, pl.Date)).alias("service_date")


def _numbered(frame: pl.DataFrame, key: str | None) -> pl.DataFrame:
    """Give rows without an id their place as the id."""
    if key is None or key in frame.columns:
        return frame
    return frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias(key))


def _variables(scores: pl.DataFrame, tables: TableSet) -> pl.DataFrame:
    return (
        scores.select(
            "span_id", pl.col("variables").alias("variable"), pl.col("coefficients").alias("coefficient")
        )
        .explode("variable", "coefficient")
        .join(tables.labels.select("variable", "label"), on="variable", how="left", maintain_order="left")
        .select("span_id", "variable", "label", "coefficient")
    )


def _mapping(
    spans: pl.DataFrame, diagnoses: pl.DataFrame, drugs: pl.DataFrame, tables: TableSet
) -> pl.DataFrame:
    """Return what each single diagnosis or drug row marks."""
    rows = [
        _marked_rows("diagnosis", spans, diagnoses, tables),
        _marked_rows("drug", spans, drugs.with_columns(code=pl.coalesce("ndc", "hcpcs")), tables),
    ]
    labels = tables.labels.select("variable", "label")
    return pl.concat(rows).join(labels, on="variable", how="left", maintain_order="left")


def _marked_rows(kind: str, spans: pl.DataFrame, evidence: pl.DataFrame, tables: TableSet) -> pl.DataFrame:
    """Judge every row apart from the others: each for a copy of the member that has this row alone."""
    copies = pl.Series("member_id", [f"{row:09d}" for row in range(evidence.height)], dtype=pl.String)
    enrolled = enrolment(copies.to_frame().join(spans.drop("member_id"), how="cross"), tables)
    marks = Marks(program.shared_variables(tables), enrolled.model)
    alone = evidence.with_columns(copies)
    judge = mark_diagnoses if kind == "diagnosis" else mark_drugs
    judge(enrolled, alone, tables, marks)
    names = list(marks.rows)
    found = sorted(
        {
            (int(enrolled.member[block.units[lane]]), names[variable])
            for block in marks.blocks()
            for variable, lane in np.argwhere(block.marks)
        }
    )
    picked = evidence[[row for row, _ in found]]
    return picked.select(
        pl.lit(kind).alias("kind"),
        pl.col(f"{kind}_id").cast(pl.Int64).alias("row_id"),
        "code",
        _service_date(picked),
        pl.Series("variable", [name for _, name in found], dtype=pl.String),
    )


def _events(
    enrolled: Enrolment, unit: int, diagnoses: pl.DataFrame, drugs: pl.DataFrame, tables: TableSet
) -> pl.DataFrame:
    """Return what each statement changed for one enrollee, in order."""
    marks = Marks(program.shared_variables(tables), enrolled.model)
    mark_diagnoses(enrolled, diagnoses, tables, marks)
    mark_drugs(enrolled, drugs, tables, marks)
    block = next(block for block in marks.blocks() if unit in block.units)
    compiled = program.compiled(tables, MODELS[block.model])
    lane = np.flatnonzero(block.units == unit)
    values = block_values(enrolled, marks, compiled, block)[:, lane].copy()
    watcher = _Watcher(compiled, values)
    program.run(compiled, values, watcher)
    schema = {
        "enrollee": pl.Int64,
        "phase": pl.String,
        "variable": pl.String,
        "event": pl.String,
        "because": pl.String,
    }
    frame = pl.DataFrame([(unit, *event) for event in watcher.events], schema=schema, orient="row")
    labels = tables.labels.select("variable", "label")
    return frame.join(labels, on="variable", how="left", maintain_order="left")


class _Watcher:
    """Notes what each statement changed: (phase, variable, event, the conditions that held)."""

    def __init__(self, compiled: Program, values: Values) -> None:
        self.events: list[tuple[str, str, str, str]] = []
        self._compiled = compiled
        self._before = values[:, 0].copy()

    def __call__(self, step: Step, values: Values) -> None:
        now = values[:, 0]
        for row in np.flatnonzero(now != self._before):
            name = self._compiled.variables[row]
            self.events.append(
                (step.phase, name, self._event(step, int(row), int(now[row])), self._because(step))
            )
        self._before = now.copy()

    def _event(self, step: Step, row: int, value: int) -> str:
        if row in self._compiled.numeric:
            return f"counted: {value}"
        if value:
            return "set"
        if step.phase == "group":
            return f"replaced by {', '.join(self._compiled.variables[one] for one in step.ones)}"
        return DROPPED.get(step.phase, "dropped")

    def _because(self, step: Step) -> str:
        """Name the tests that held before the statement ran; a count names what it counted."""
        names, before = self._compiled.variables, self._before
        if step.summands is not None:
            return " + ".join(names[row] for row in step.summands if before[row])
        clauses = (
            " or ".join(
                f"{names[row]} = {before[row]}" for row, low, high in clause if low <= before[row] <= high
            )
            for clause in step.clauses
        )
        return " and ".join(clauses)
