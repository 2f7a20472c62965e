"""riskflow explain member: one member's scores in the terminal, from diagnosis to HCC to coefficient."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskflow.cli.console import ResultsFolder, heading, line, row, say, show, table

if TYPE_CHECKING:
    import polars as pl

    from riskflow.members.dossier import Dossier

Row = Mapping[str, Any]
UNPAID = "code_without_hcc", "code_without_rxc"


def register(seats: Any) -> None:
    """Add `explain member`."""
    seats.explain.command("member")(explain)


def explain(
    member_id: Annotated[str, typer.Argument(help="Member id, as in scores.parquet.")],
    run: Annotated[
        str, typer.Option(help="Run id or its beginning, or current or prior; this year's run if not given.")
    ] = "",
    results: ResultsFolder = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
) -> None:
    """Show a member's scores: variables and coefficients, diagnosis → HCC, what was dropped or rejected, and why."""
    from riskflow.members.dossier import dossier

    found = dossier(member_id, results, run)
    if as_json:
        typer.echo(as_document(found))
        return
    _show_head(member_id, found)
    for span in found.explanation.spans.iter_rows(named=True):
        _show_span(span, found)
    _show_evidence(found)
    _show_events(found)
    _show_rejected(found)
    if not found.agrees:
        show(
            "",
            "The stored scores differ from this trace: results and code are of two versions. Run the workflow again.",
        )


def as_document(found: Dossier) -> str:
    """Return the dossier as JSON."""
    import json

    parts = {name: frame.to_dicts() for name, frame in vars(found.explanation).items()}
    document = {"run": dict(found.run), "data_set": found.data_set, "agrees": found.agrees, **parts}
    return json.dumps(document, indent=1, default=str)


def _show_head(member_id: str, found: Dossier) -> None:
    from rich.text import Text

    first = found.explanation.spans.row(0, named=True)
    show("", Text.assemble((line(member_id), "bold"), "  ", f"{first['sex']}, {first['age_last']} years"))
    year, version = found.run["benefit_year"], found.run["model_version"]
    show(
        Text(
            f"run {found.run['run_id']} ({found.data_set}): benefit year {year}, model {version}", style="dim"
        )
    )


def _show_span(span: Row, found: Dossier) -> None:
    import polars as pl

    plan = f"{span['metal']} plan {line(span['plan_id'] or '')}, {span['member_months']:.2f} member months"
    heading(
        f"Span {line(span['span_id'])}",
        f"{plan}, {span['model']} model, ENROLDURATION {span['enrolment_duration']}",
    )
    listing = table("variable", "what it is", "coefficient", right=("coefficient",))
    mine = found.explanation.variables.filter(pl.col("span_id") == span["span_id"])
    for one in mine.iter_rows(named=True):
        row(listing, one["variable"], one["label"], _number(one["coefficient"]))
    row(listing, "raw score", "", _number(span["raw_score"]), style="bold")
    show(listing)
    indicator = "none" if span["csr_indicator"] is None else span["csr_indicator"]
    adjusted = f"{span['raw_score']:.6g} × {span['csr_factor']:g} = {span['csr_adjusted_score']:.6g}"
    say("adjusted", f"{adjusted} (CSR indicator {indicator})")


def _show_evidence(found: Dossier) -> None:
    rows = found.explanation.mapping
    heading("What each diagnosis and drug became", f"{rows.height} rows marked something")
    if rows.is_empty():
        return
    listing = table("table", "date", "code", "variable", "what it is")
    for one in rows.sort("kind", "service_date", "row_id", "variable").iter_rows(named=True):
        row(listing, one["kind"], one["service_date"], one["code"], one["variable"], one["label"])
    show(listing)


def _show_events(found: Dossier) -> None:
    rows = found.explanation.events
    heading("What the model made of them", "in the order of the algorithm")
    if rows.is_empty():
        show("no hierarchy, group, interaction or count changed anything")
        return
    several = rows["enrollee"].n_unique() > 1
    listing = table(*(["of"] if several else []), "step", "variable", "what happened", "because")
    for one in rows.iter_rows(named=True):
        who = [one["enrollee"] + 1] if several else []
        row(listing, *who, one["phase"].replace("_", " "), one["variable"], one["event"], one["because"])
    show(listing)


def _show_rejected(found: Dossier) -> None:
    import polars as pl

    rows = found.explanation.rejected
    named = pl.col("reason").cast(pl.String).is_in(UNPAID)
    told, unpaid = rows.filter(~named), rows.filter(named)
    heading("What did not count", f"{rows.height} rows")
    if told.height:
        _show_reasons(told)
    if unpaid.height:
        codes = ", ".join(line(code) for code in unpaid["code"].drop_nulls().unique().sort())
        say("unpaid", f"{unpaid.height} rows whose code no payment HCC or RXC has: {codes}")


def _show_reasons(rows: pl.DataFrame) -> None:
    listing = table("table", "date", "code", "why not")
    for one in rows.sort("kind", "row_id").iter_rows(named=True):
        row(listing, one["kind"], one["service_date"], one["code"], one["because"])
    show(listing)


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:,.6g}"
