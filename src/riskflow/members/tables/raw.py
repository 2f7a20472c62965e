"""Read the raw CMS files of one release: DIY tables (parquet, JSON) and the plain lists ("alt")."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from riskflow.errors import RiskflowError

Content = TypeVar("Content")


def table(folder: Path, name: str) -> pl.DataFrame:
    """Return a DIY table, all columns text; `name` is "3", "10a", …."""
    return _read(folder / f"table_{name}.parquet", lambda path: pl.read_parquet(path, glob=False))


def definitions(folder: Path, name: str) -> list[tuple[str, str, str]]:
    """Return (model, variable, definition) for each definition of a DIY JSON table, in the order of the table."""
    rows: list[dict[str, Any]] = _read(folder / f"table_{name}.json", _json)
    return [
        (row["model"].lower(), str(row.get("variable") or row.get("variable(s)")), str(piece["definition"]))
        for row in rows
        for piece in (row, *row["continuation"])
        if piece.get("definition")
    ]


def pairs(path: Path) -> list[tuple[str, str]]:
    """Return (code, category) of a list of the "alt" release; a third field (D: the code has two) is ignored."""
    lines = _read(path, lambda file: file.read_text(encoding="utf-8")).splitlines()
    return [(fields[0], fields[1]) for line in lines if len(fields := line.split()) >= 2]


def json_file(path: Path) -> Any:
    """Return the content of a JSON file."""
    return _read(path, _json)


def csv_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header."""
    return list(csv.DictReader(_read(path, lambda file: file.read_text(encoding="utf-8")).splitlines()))


def hcc(number: str) -> str:
    """Return the variable of a CC or HCC number: "20.0" → HHS_HCC020, "35.1" and "35_1" → HHS_HCC035_1."""
    match = re.match(r"^(\d+)(?:[._]([12]))?(?:\.0|_0)?$", number.strip())
    if match is None:
        raise RiskflowError("a CMS table has a category that is no HHS-HCC number")
    return f"HHS_HCC{int(match[1]):03d}" + (f"_{match[2]}" if match[2] else "")


def rxc(number: str) -> str:
    """Return the variable of an RXC number or of an ACF category."""
    return number if number.startswith("ACF_") else f"RXC_{int(number):02d}"


def variable(name: str) -> str:
    """Return a variable's name in the case that all tables share (RXC_01_x_HCC001 → RXC_01_X_HCC001)."""
    return name if name.startswith("ACF_") else name.upper()


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _read(path: Path, reader: Callable[[Path], Content]) -> Content:
    if not path.is_file():
        raise RiskflowError(
            f"CMS table is missing: {path.parent.parent.name}/{path.parent.name}/{path.name}",
            "put the file there; members/tables/sources.json says which files a set needs",
        )
    return reader(path)
