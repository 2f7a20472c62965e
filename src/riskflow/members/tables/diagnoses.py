"""DIY Table 3 → codes (validity, MCE edits) and categories (code → HCC with age and sex splits)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from riskflow.errors import RiskflowError
from riskflow.members.tables import raw
from riskflow.members.tables.language import atom

ANY_AGE = (0, 255)
_SEX = {"female": "F", "male": "M"}


@dataclass(frozen=True)
class Table3:
    """The rows of DIY Table 3: one per code and split, with up to three CCs."""

    rows: tuple[dict[str, str], ...]

    @classmethod
    def read(cls, folder: Path) -> Table3:
        """Read a release's Table 3."""
        return cls(tuple(raw.table(folder, "3").iter_rows(named=True)))

    def codes(self) -> set[str]:
        """All codes of the table."""
        return {row["icd10"] for row in self.rows}

    def valid(self, column: str) -> set[str]:
        """Codes whose validity column (of one fiscal year) says Y."""
        if self.rows and column not in self.rows[0]:
            raise RiskflowError(f"DIY Table 3 has no column {column}")
        return {row["icd10"] for row in self.rows if row[column] == "Y"}


def selected(base: Table3, later: Table3 | None, listed: Sequence[tuple[str, str]] | None) -> Table3:
    """Return the rows of Table 3 that a release has.

    `listed`: the code → CC list of a release that has no splits. Codes that `base` knows keep its rows (the
    list names one CC of a split); others come from `later`; what neither knows has no split and no edit.
    """
    if listed is None:
        return base
    wanted = {code for code, _ in listed}
    rows = [row for row in base.rows if row["icd10"] in wanted]
    known = base.codes()
    if later is not None:
        rows += [row for row in later.rows if row["icd10"] in wanted - known]
        known |= later.codes()
    rows += [{"icd10": code, "cc": cc} for code, cc in listed if code not in known]
    return Table3(tuple(rows))


def codes(table: Table3, year: int, first: set[str], second: set[str]) -> pl.DataFrame:
    """Return the codes with their validity in the benefit year and their MCE edits.

    `first`: codes valid in the fiscal year before 1 October; `second`: in the one from 1 October on.
    """
    spans = {
        (True, True): (date(year, 1, 1), date(year, 12, 31)),
        (True, False): (date(year, 1, 1), date(year, 9, 30)),
        (False, True): (date(year, 10, 1), date(year, 12, 31)),
        (False, False): (None, None),
    }
    rows = {}
    for row in table.rows:
        code = row["icd10"]
        low, high = ages(_condition(row, "mce_age_condition"))
        sex = _sex(_condition(row, "mce_sex_condition"))
        rows[code] = (code, *spans[code in first, code in second], low, high, sex)
    schema = {
        "code": pl.String,
        "valid_from": pl.Date,
        "valid_to": pl.Date,
        "mce_age_low": pl.Int16,
        "mce_age_high": pl.Int16,
        "mce_sex": pl.String,
    }
    return pl.DataFrame(list(rows.values()), schema=schema, orient="row")


def categories(table: Table3) -> pl.DataFrame:
    """Return code → HHS-HCC, one row per split, CC, second CC and third CC."""
    rows = {
        (row["icd10"], raw.hcc(cc), *ages(row.get("cc_age_split")), _sex(row.get("cc_sex_split")))
        for row in table.rows
        for name in ("cc", "second_cc", "third_cc")
        if (cc := row.get(name)) is not None
    }
    schema = {
        "code": pl.String,
        "variable": pl.String,
        "age_low": pl.Int16,
        "age_high": pl.Int16,
        "sex": pl.String,
    }
    return pl.DataFrame(sorted(rows, key=str), schema=schema, orient="row")


def ages(text: str | None) -> tuple[int, int]:
    """Return the lowest and highest age that a condition such as `age >= 2` or `6 <= age <= 18` allows."""
    if text is None:
        return ANY_AGE
    found = atom(text.strip())
    return found.low, found.high


def _condition(row: dict[str, str], name: str) -> str | None:
    """Return an MCE condition: of the later fiscal year, else of the earlier (2021-23 publish both)."""
    return row.get(f"{name}_duplicated_0") or row.get(name)


def _sex(text: str | None) -> str | None:
    return None if text is None else _SEX[text.strip().lower()]
