"""Configuration of where the provider track's raw tables come from: files, or the generated demo."""

from typing import Literal

from pydantic import Field

from riskflow.config.base import Section


class TableSource(Section):
    """Where one raw table is and what its columns are called there."""

    path: str = ""
    """File or glob, relative to the repository: .csv, .csv.gz, .parquet, or .duckdb (`table` names the table)."""
    table: str = ""
    """Table or view inside a .duckdb file; empty for other files."""
    encoding: Literal["utf8", "cp1252"] = "utf8"
    """Text encoding of a CSV file."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """Column separator of a CSV file."""
    columns: dict[str, str] = {}
    """Our column name → the name in the file, where they differ; `OLD|NEW` where releases do. Case never matters."""
    date_format: str = "%Y-%m-%d"
    """How dates are written there, in strftime letters; %m/%Y means the last day of the month."""


class SourceSection(Section):
    """Raw inputs: the embedded demo, or files."""

    kind: Literal["demo", "files"] = "demo"
    """demo: generated data; files: the four tables below."""
    registry: TableSource = TableSource()
    """One row per provider: npi, taxonomy, state, entity_type, display_name, updated_at."""
    payments: TableSource = TableSource()
    """One row per npi, year and program: payments in dollars, claims, beneficiaries."""
    exclusions: TableSource = TableSource()
    """The OIG List of Excluded Individuals/Entities: npi, name, dob, state, excl_type, excl_date, rein_date, waiver."""
    ownership: TableSource = TableSource()
    """One row per owner and owned facility: owner, owned npi, role, percentage, association date, type flags."""


class DemoSection(Section):
    """The generated demo population."""

    providers: int = Field(default=4000, ge=100)
    """How many billing providers to generate."""
    first_year: int = Field(default=2019, ge=2000, le=2100)
    """First payment year."""
    last_year: int = Field(default=2024, ge=2000, le=2100)
    """Last payment year."""
    seed: int = 20240601
    """Seed; the same seed gives the same bytes."""
    dirt: float = Field(default=0.004, ge=0, le=0.2)
    """Share of rows that are dirty in each way that real releases are."""
