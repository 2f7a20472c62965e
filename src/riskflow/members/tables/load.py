"""Find and read the normalised tables of one benefit year and vintage.

A set is a folder `<benefit year>_<vintage>` with `set.json` and one parquet file per table; a further folder
beside the others is a further set.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.contracts.members_tables import METALS, MODELS, TABLES
from riskflow.errors import RiskflowError

PACKAGED = Path(__file__).parent / "data"
INPUTS = ("AGE_LAST", "ENROLDURATION", "MALE", "FEMALE")
LATEST = "latest"


@dataclass(frozen=True, eq=False)
class TableSet:
    """The tables of one benefit year and vintage; `release` is what CMS calls it, `rank` its place in time.

    Two sets are equal only if they are the same object, so that what is compiled from one can be cached.
    """

    benefit_year: int
    vintage: str
    release: str
    model_version: str
    rank: int
    codes: pl.DataFrame
    categories: pl.DataFrame
    drugs: pl.DataFrame
    statements: pl.DataFrame
    coefficients: pl.DataFrame
    csr_factors: pl.DataFrame
    csr_variants: pl.DataFrame
    ages: pl.DataFrame
    durations: pl.DataFrame
    labels: pl.DataFrame


def available(root: Path = PACKAGED) -> pl.DataFrame:
    """Return the sets of a folder: benefit_year, vintage, release, model_version, rank; oldest first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(root.glob("*/set.json"))]
    schema = {
        "benefit_year": pl.Int16,
        "vintage": pl.String,
        "release": pl.String,
        "model_version": pl.String,
        "rank": pl.Int16,
    }
    return pl.DataFrame(found, schema=schema).sort("benefit_year", "rank")


def folder(benefit_year: int, vintage: str = LATEST, root: Path = PACKAGED) -> Path:
    """Return the folder of a set; `latest` is the newest release of the year. No such set is an error."""
    sets = available(root)
    year = sets.filter(benefit_year=benefit_year)
    chosen = year.tail(1) if vintage == LATEST else year.filter(vintage=vintage)
    if chosen.is_empty():
        there = ", ".join(f"{row[0]} ({row[1]})" for row in sets.select("benefit_year", "vintage").rows())
        raise RiskflowError(
            f"no CMS tables of benefit year {benefit_year}, vintage {vintage}",
            f"there are: {there or 'none'}; others can be added as folders like these",
        )
    return root / f"{benefit_year}_{chosen['vintage'].item()}"


def files(benefit_year: int, vintage: str = LATEST, root: Path = PACKAGED) -> list[Path]:
    """Return the files of a set, for a rule to depend on."""
    found = folder(benefit_year, vintage, root)
    return [found / "set.json", *(found / f"{name}.parquet" for name in TABLES)]


def load(path: Path) -> TableSet:
    """Return the tables in a set's folder; a table that is missing or partial is an error."""
    if not (path / "set.json").is_file():
        raise RiskflowError(f"{path.name} holds no set of CMS tables: set.json is missing")
    about = json.loads((path / "set.json").read_text(encoding="utf-8"))
    frames = {name: artifacts.read(path / f"{name}.parquet", contract) for name, contract in TABLES.items()}
    for name, frame in frames.items():
        _check_keys(name, frame, about)
    check_complete(frames)
    return TableSet(
        benefit_year=about["benefit_year"],
        vintage=about["vintage"],
        release=about["release"],
        model_version=about["model_version"],
        rank=about["rank"],
        **frames,
    )


def check_complete(frames: dict[str, pl.DataFrame]) -> None:
    """Raise unless every variable that is tested, summed or paid can be set by something, in every model."""
    for model in MODELS:
        steps = frames["statements"].filter(model=model)
        made = {
            *frames["categories"]["variable"],
            *frames["drugs"]["variable"],
            *steps.filter(part="then")["variable"],
            *INPUTS,
        }
        paid = frames["coefficients"].filter(model=model)
        lost = {*steps["variable"], *paid["variable"]} - made
        if lost or paid.is_empty() or paid.height != paid["variable"].n_unique() * len(METALS):
            raise RiskflowError(
                f"the CMS tables of the {model} model are partial"
                + (f": nothing sets {', '.join(sorted(lost))}" if lost else ": coefficients are missing"),
                "look for a missing definition, hierarchy, group, metal or drug list in the release's files",
            )


def _check_keys(name: str, frame: pl.DataFrame, about: dict[str, object]) -> None:
    keys = frame.select("benefit_year", "vintage").unique().rows()
    optional = name == "csr_variants"  # CMS publishes Table 13 from 2025 on
    if keys != [(about["benefit_year"], about["vintage"])] and not (optional and not keys):
        raise RiskflowError(
            f"table {name} of the CMS set {about['benefit_year']} {about['vintage']} is empty or of another set",
            "build the set again with the importer",
        )
