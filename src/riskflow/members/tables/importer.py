"""Build the normalised tables of every benefit year and vintage from the raw CMS files.

Which files make which set is data: `sources.json`. A set of a new year is added there (or its finished folder
is put beside the others); no code changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from riskflow import artifacts
from riskflow.contracts.members_tables import METALS, MODELS, TABLES
from riskflow.errors import RiskflowError
from riskflow.members.tables import algorithm, diagnoses, raw
from riskflow.members.tables.language import atom
from riskflow.members.tables.load import check_complete
from riskflow.receipts import Receipt

SOURCES = Path(__file__).parent / "sources.json"
_FACTOR = re.compile(r"CSR_INDICATOR = (\d+) then \w+_(\w+) = SCORE_\w+ x ([\d.]+)")
_DURATION = re.compile(r"(\d+) = (\d+)\D(\d+) days")


def run(*, source: Path, output: Path) -> Receipt:
    """Write the normalised tables of every set that the raw CMS files in `source` make, one folder per set.

    The tables do not name the run that built them: the same raw files give the committed bytes.
    """
    rows = {}
    with artifacts.ledger(""):
        for spec in json.loads(SOURCES.read_text(encoding="utf-8"))["sets"]:
            name = f"{spec['benefit_year']}_{spec['vintage']}"
            frames = build(source, spec)
            write(frames, spec, output / name)
            rows[name] = sum(frame.height for frame in frames.values())
    return Receipt(counts={"sets": len(rows), "rows": sum(rows.values())}, facts={"rows_by_set": rows})


def write(frames: dict[str, pl.DataFrame], spec: dict[str, Any], folder: Path) -> None:
    """Write the tables of one set and the set.json that describes it."""
    for name, contract in TABLES.items():
        artifacts.write(frames[name], folder / f"{name}.parquet", contract)
    about = {key: spec[key] for key in ("benefit_year", "vintage", "release", "model_version", "rank")}
    artifacts.write_text(json.dumps(about, indent=1) + "\n", folder / "set.json")


def build(source: Path, spec: dict[str, Any]) -> dict[str, pl.DataFrame]:
    """Return the tables of one set (members of `sources.json`); a raw file that is missing is an error."""
    base = source / spec["base"]
    lists = source / spec["lists"] if "lists" in spec else None
    table3 = _table3(source, spec, base, lists)
    first, second = (_valid(source, place, column) for place, column in spec["valid"])
    coefficients = _coefficients(base, lists)
    frames = {
        "codes": diagnoses.codes(table3, spec["benefit_year"], first, second),
        "categories": diagnoses.categories(table3),
        "drugs": _drugs(base, lists, spec.get("acf")),
        "coefficients": coefficients,
        "statements": algorithm.statements(
            base, lists, spec.get("definitions", {}), _variables(coefficients)
        ),
        "csr_factors": _csr_factors(base),
        "csr_variants": _csr_variants(base),
        "ages": _ages(base),
        "durations": _durations(base),
        "labels": _labels(base, lists),
    }
    check_complete(frames)
    return {name: _keyed(frame, spec, name) for name, frame in frames.items()}


def _keyed(frame: pl.DataFrame, spec: dict[str, Any], name: str) -> pl.DataFrame:
    contract = TABLES[name]
    return frame.with_columns(
        pl.lit(spec["benefit_year"], pl.Int16).alias("benefit_year"),
        pl.lit(spec["vintage"]).alias("vintage"),
    ).select(list(contract.columns))


def _table3(source: Path, spec: dict[str, Any], base: Path, lists: Path | None) -> diagnoses.Table3:
    later = spec.get("splits_also_from")
    return diagnoses.selected(
        diagnoses.Table3.read(base),
        diagnoses.Table3.read(source / later) if later else None,
        raw.pairs(lists / "diag_to_category_map.txt") if lists else None,
    )


def _valid(source: Path, place: str, column: str) -> set[str]:
    if column == "list":
        return {code for code, _ in raw.pairs(source / place / "diag_to_category_map.txt")}
    return diagnoses.Table3.read(source / place).valid(column)


def _drugs(base: Path, lists: Path | None, acf: str | None) -> pl.DataFrame:
    if lists is None:
        found = [
            *((code, raw.rxc(rxc)) for rxc, code in raw.table(base, "10a").select("rxc", "ndc").iter_rows()),
            *(
                (code, raw.rxc(rxc))
                for rxc, code in raw.table(base, "10b").select("rxc", "hcpcs").iter_rows()
            ),
        ]
    else:
        files = ["ndc_to_category_map.txt", "proc_to_category_map.txt", *([acf] if acf else [])]
        found = [(code, raw.rxc(rxc)) for name in files for code, rxc in raw.pairs(lists / name)]
    rows = [("ndc" if len(code) == 11 else "hcpcs", code, name) for code, name in sorted(set(found))]
    return pl.DataFrame(rows, schema=["kind", "code", "variable"], orient="row")


def _coefficients(base: Path, lists: Path | None) -> pl.DataFrame:
    if lists is None:
        rows = [
            (row["model"], row["variable"], metal, row[f"{metal}_level"])
            for row in raw.table(base, "9").iter_rows(named=True)
            for metal in METALS
        ]
    else:
        rows = [
            (row["model"], row["category"], metal, row[metal.capitalize()])
            for row in raw.csv_rows(lists / "weights.csv")
            for metal in METALS
        ]
    clean = [(model.lower(), raw.variable(name), metal, float(x)) for model, name, metal, x in rows]
    return pl.DataFrame(clean, schema=["model", "variable", "metal", "coefficient"], orient="row")


def _variables(coefficients: pl.DataFrame) -> dict[str, frozenset[str]]:
    return {model: frozenset(coefficients.filter(model=model)["variable"]) for model in MODELS}


def _csr_factors(base: Path) -> pl.DataFrame:
    """CSR factors: the same in the adult, child and infant definitions, or it is an error."""
    found = [
        {
            (int(indicator), metal.lower(), float(factor))
            for _, name, text in raw.definitions(base, table)
            if name.startswith("CSR_ADJUSTED")
            for indicator, metal, factor in _FACTOR.findall(text)
        }
        for table in ("6", "7", "8")
    ]
    if not found[0] or found.count(found[0]) != len(found):
        raise RiskflowError("CSR factors differ between DIY Tables 6, 7 and 8")
    schema = {"csr_indicator": pl.Int16, "metal": pl.String, "factor": pl.Float64}
    return pl.DataFrame(sorted(found[0]), schema=schema, orient="row")


def _csr_variants(base: Path) -> pl.DataFrame:
    """HIOS variant and metal → CSR indicator; empty for years without Table 13."""
    schema = {"hios_variant": pl.Int16, "metal": pl.String, "csr_indicator": pl.Int16}
    if not (base / "table_13.parquet").is_file():
        return pl.DataFrame(schema=schema)
    rows = [
        (int(variant), next((metal for metal in METALS if metal in level.lower()), None), int(indicator))
        for variant, level, indicator, _ in raw.table(base, "13").iter_rows()
    ]
    return pl.DataFrame(sorted(rows, key=str), schema=schema, orient="row")


def _ages(base: Path) -> pl.DataFrame:
    rows = [
        (model, (found := atom(" ".join(text.split()))).low, found.high)
        for model, name, text in raw.definitions(base, "1")
        if name == "AGE_LAST" and model in MODELS
    ]
    schema = {"model": pl.String, "age_low": pl.Int16, "age_high": pl.Int16}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _durations(base: Path) -> pl.DataFrame:
    text = next(
        text
        for model, name, text in raw.definitions(base, "1")
        if (model, name) == ("adult", "ENROLDURATION")
    )
    rows = [tuple(map(int, found)) for found in _DURATION.findall(text)]
    if [row[0] for row in rows] != list(range(1, 13)):
        raise RiskflowError("DIY Table 1 does not list twelve enrolment durations")
    schema = {"months": pl.Int16, "days_low": pl.Int16, "days_high": pl.Int16}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _labels(base: Path, lists: Path | None) -> pl.DataFrame:
    table4 = raw.table(base, "4")
    column = next(name for name in table4.columns if name.endswith("_hcc"))
    found: dict[str, str] = dict(raw.table(base, "5").select("variable", "description").iter_rows())
    found |= {raw.hcc(number): label for number, label in table4.select(column, "hcc_label").iter_rows()}
    found |= {
        raw.rxc(number): x for number, x in raw.table(base, "11").select("rxc", "rxc_label").iter_rows()
    }
    if lists is not None:
        listed = raw.json_file(lists / "category_definition.json")
        found |= {raw.variable(name): entry["descr"] for name, entry in listed.items()}
    return pl.DataFrame(_clean(found.items()), schema=["variable", "label"], orient="row")


def _clean(labels: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted((name, " ".join(label.split()).rstrip(" ;")) for name, label in labels if label)
