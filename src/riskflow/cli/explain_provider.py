"""riskflow explain provider: a dossier of one NPI in the terminal, with the origin of each number."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from riskflow.cli.console import ResultsFolder, heading, line, receipts_of, row, say, show, table
from riskflow.cli.dossier import Origin, config_values, origins_of, provider_row

Row = Mapping[str, Any]
BAR_CHARACTERS_PER_POINT = 0.5
SECTIONS = ("scoring", "weights", "components", "peers", "graph", "exclusions", "tiers", "flags")
_TIER_STYLES = {"High": "bold red", "Elevated": "bold yellow", "Moderate": "bold", "Low": "bold green"}


def register(seats: Any) -> None:
    """Add `explain provider`."""
    seats.explain.command("provider")(explain)


def explain(
    npi: Annotated[str, typer.Argument(help="National Provider Identifier, ten digits.")],
    results: ResultsFolder = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="The row and its origins as JSON.")] = False,
) -> None:
    """Show a provider's score, what it is made of, whom it was compared with, and where each number came from."""
    found = provider_row(npi, results)
    receipts = receipts_of(results / "providers")
    origins = list(origins_of(npi, results, receipts))
    if as_json:
        document = {
            **found,
            "flags": json.loads(found["flags"]),
            "origins": [vars(origin) for origin in origins],
        }
        typer.echo(json.dumps(document, indent=1, default=str))
        return
    _show_head(found)
    _show_components(found, config_values(receipts))
    _show_comparison(found)
    _show_reasons(found)
    _show_ownership(found)
    _show_origins(origins, config_values(receipts), results / "providers")


def _show_head(found: Row) -> None:
    from rich.text import Text

    show(
        "",
        Text.assemble(
            (found["npi"], "bold"), "  ", (line(found["display_name"] or "no registered name"), "bold")
        ),
    )
    known = [found["entity_type"], found["peer_taxonomy"], found["peer_state"]]
    show(Text(line(", ".join(text for text in known if text) or "not in the registry"), style="dim"))
    if found["not_scored_reason"]:
        show("", Text.assemble(("not scored", "bold yellow"), ": ", found["not_scored_reason"]))
        return
    show(
        "",
        Text.assemble(
            (found["risk_label"], _TIER_STYLES[found["risk_label"]]),
            f"  risk score {found['risk_score']:.2f} (percent of providers below), rank {found['rank']:,}",
        ),
    )
    if found["previous_risk_score"] is not None and found["score_change"] is not None:
        places = found["rank_change"]
        moved = "" if places is None else f", {abs(places):,} places {'up' if places >= 0 else 'down'}"
        show(f"earlier run {found['previous_risk_score']:.2f}: {found['score_change']:+.2f}{moved}")


def _show_components(found: Row, config: Mapping[str, str]) -> None:
    from riskflow.contracts.providers_scores import COMPONENTS

    heading("What the score is made of", f"method {found['method_version']}")
    listing = table("component", "0..100", "weight", "adds", "", right=("0..100", "weight", "adds"))
    for name in COMPONENTS:
        value, added = found[name], found[f"{name}_contribution"]
        bar = "█" * round(BAR_CHARACTERS_PER_POINT * (added or 0.0))
        row(listing, name, _number(value, 1), config.get(f"weights.{name}"), _number(added, 2), bar)
    row(listing, "r_raw", "", "", _number(found["r_raw"], 2), "", style="bold")
    show(listing)
    if found["not_scored_reason"]:
        return
    measured = f"{100 * found['coverage']:.0f}% of the weights could be measured"
    missing = "" if found["coverage"] >= 1 else "; those of missing components (–) are shared out"
    show(measured + missing)


def _show_comparison(found: Row) -> None:
    heading("Compared with")
    if found["peer_basis"]:
        say("peers", f"{found['peer_n']:,} of the same {found['peer_basis'].replace('+', ', ')}")
    say("years", ", ".join(map(str, found["data_window_years"] or [])) or "no payments")
    if found["billing_outlier_percentile"] is not None:
        percentile = f"{found['billing_outlier_percentile']:.1f}"
        say("billing", f"percentile {percentile} of payment per claim among peers, mean over years")
    if found["billing_measure"]:
        measure, year = found["billing_measure"].replace("_", " "), found["billing_year"]
        median = f"a median of {found['billing_median']:,.2f} among {found['billing_peers']:,} peers"
        say("", f"most above them in {year}: {measure} {found['billing_value']:,.2f} against {median}")
    if found["growth_year"]:
        spread = f"{found['growth_top_z']:.1f} robust deviations above the peers' median"
        say("growth", f"most above them in {found['growth_year']}: {spread}")
    if found["top_program"]:
        say("programs", f"{found['top_share']:.0f}% of recent payments from {found['top_program']}")


def _show_reasons(found: Row) -> None:
    if found["reasons"]:
        heading("Why")
        for sentence in found["reasons"]:
            say("•", sentence, width=1)
    raised = json.loads(found["flags"])
    if raised:
        heading("Flags")
        for flag in raised:
            show(
                f"• {flag['flag'].replace('_', ' ')}: {_plain(flag['value'])} (threshold {_plain(flag['threshold'])})"
            )


def _show_ownership(found: Row) -> None:
    heading("Owners and exclusions")
    path, chain, cents = (
        found[name]
        for name in ("nearest_exclusion_path", "chain_providers", "payments_after_exclusion_cents")
    )
    say(
        "owners",
        "no excluded owner within reach"
        if not path
        else f"{' → '.join(path)} (excluded, {found['nearest_exclusion_hops']} up)",
    )
    if chain:
        say("chain", f"{found['chain_excluded_providers']:,} of {chain:,} other providers of it are excluded")
    say(
        "itself",
        "never excluded" if cents is None else f"${cents / 100:,.2f} paid in years wholly under exclusion",
    )


def _show_origins(origins: Sequence[Origin], config: Mapping[str, str], folder: Path) -> None:
    heading("Where each number came from", f"files in {folder}")
    listing = table("numbers", "artifact", "stage", "code and config", "commit")
    for origin in origins:
        artifact = Path(origin.artifact).relative_to(folder)
        stage = origin.stage.removeprefix("providers.")
        row(listing, origin.number, artifact, stage, origin.code_and_config, origin.commit)
    show(listing)
    for section in SECTIONS:
        values = [
            f"{key.partition('.')[2]} {value}".replace('"', "")
            for key, value in sorted(config.items())
            if key.startswith(f"{section}.")
        ]
        if values:
            say(section, ", ".join(values))


def _number(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:,.{digits}f}"


def _plain(value: Any) -> str:
    return " and ".join(map(_plain, value)) if isinstance(value, list) else f"{float(value):,.10g}"
