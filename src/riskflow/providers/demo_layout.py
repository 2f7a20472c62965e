"""How the demo's raw files are laid out: names, columns, encodings. Ingest reads them by this."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from riskflow.config.providers import TableSource

Format = Literal["csv", "parquet"]
OLD_NAMES = {
    "npi": "NPI",
    "year": "YEAR",
    "program": "PROGRAM",
    "payments": "TOTAL_PAID",
    "claims": "TOTAL_CLAIMS",
    "beneficiaries": "TOTAL_UNIQUE_BENEFICIARIES",
}
NEW_NAMES = OLD_NAMES | {"claims": "TOTAL_CLAIM_LINES", "beneficiaries": "TOTAL_PATIENTS"}
FILES = {
    "registry": ("registry.csv",),
    "payments": ("payments_release_1.csv.gz", "payments_release_2.csv"),
    "exclusions": ("exclusions.csv", "exclusions_supplement.csv"),
    "ownership": ("ownership.csv",),
}


def sources(folder: Path, kind: Format = "csv") -> dict[str, TableSource]:
    """Return where the demo's raw tables are under `folder` and what their columns are called."""
    end = ".parquet" if kind == "parquet" else ".csv*"
    encoding: Literal["utf8", "cp1252"] = "utf8" if kind == "parquet" else "cp1252"
    payments = {name: f"{old}|{NEW_NAMES[name]}" for name, old in OLD_NAMES.items()}
    leie = {
        "last_name": "LASTNAME",
        "first_name": "FIRSTNAME",
        "name": "BUSNAME",
        "excl_type": "EXCLTYPE",
        "excl_date": "EXCLDATE",
        "rein_date": "REINDATE",
        "waiver_date": "WAIVERDATE",
        "waiver_state": "WVRSTATE",
    }
    ownership = {"pct": "PERCENTAGE", "since": "ASSOCIATION_DATE", "owner_kind": "OWNER_TYPE"}
    return {
        "registry": TableSource(
            path=f"{folder}/registry{end}",
            encoding=encoding,
            columns={"taxonomy": "taxonomy_1"},
            date_format="%m/%d/%Y",
        ),
        "payments": TableSource(path=f"{folder}/payments_release_*{end}", columns=payments),
        "exclusions": TableSource(
            path=f"{folder}/exclusions*{end}", encoding=encoding, columns=leie, date_format="%Y%m%d"
        ),
        "ownership": TableSource(
            path=f"{folder}/ownership{end}", encoding=encoding, columns=ownership, date_format="%m/%d/%Y"
        ),
    }
