"""Configuration of where the provider track's raw tables come from: files, PostgreSQL, or the generated demo."""

from typing import Literal

from pydantic import Field, model_validator

from riskflow.config.base import Section
from riskflow.config.postgres import PostgresSource


class TableSource(Section):
    """Where one raw table is and what its columns are called there."""

    path: str = ""
    """File or glob, relative to the repository: .csv, .csv.gz, .parquet, or .duckdb (`table` names the table)."""
    table: str = ""
    """Table or view inside a .duckdb file, or schema.table in PostgreSQL; empty for other files."""
    encoding: Literal["utf8", "cp1252"] = "utf8"
    """Text encoding of a CSV file."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """Column separator of a CSV file."""
    columns: dict[str, str] = {}
    """Our column name → the name in the file, where they differ; `OLD|NEW` where releases do. Case never matters."""
    date_format: str = "%Y-%m-%d"
    """How dates are written there, in strftime letters; %m/%Y means the last day of the month."""
    key: list[str] = []
    """PostgreSQL: its columns that tell a row from all others; `updated_column` needs them."""
    updated_column: str = ""
    """PostgreSQL: its column with the time of a row's last change: only newer rows are read again; empty: all."""

    @model_validator(mode="after")
    def _increments_have_a_key(self) -> "TableSource":
        if self.updated_column and not self.key:
            raise ValueError(
                "updated_column needs key: the columns that tell a row from all others, such as [id]"
            )
        return self


class SourceSection(Section):
    """Raw inputs: the embedded demo, files, or tables of a PostgreSQL server."""

    kind: Literal["demo", "files", "postgres"] = "demo"
    """demo: generated data; files: the four tables below; postgres: the four tables below, on that server."""
    postgres: PostgresSource = PostgresSource()
    registry: TableSource = TableSource()
    """One row per provider: npi, taxonomy, state, entity_type, display_name, updated_at."""
    payments: TableSource = TableSource()
    """One row per npi, year and program: payments in dollars, claims, beneficiaries."""
    exclusions: TableSource = TableSource()
    """The OIG List of Excluded Individuals/Entities: npi, name, dob, state, excl_type, excl_date, rein_date, waiver."""
    ownership: TableSource = TableSource()
    """One row per owner and owned facility: owner, owned npi, role, percentage, association date, type flags."""

    def fault(self) -> str:
        """Return which tables are said to be nowhere, and what to write; empty when all have a place."""
        key, example = {"files": ("path", "data/{}.csv"), "postgres": ("table", "raw.{}")}.get(
            self.kind, ("", "")
        )
        tables = ("registry", "payments", "exclusions", "ownership")
        missing = [name for name in tables if key and not getattr(getattr(self, name), key)]
        if not missing:
            return ""
        return (
            f"source.kind is {self.kind} but no {key} is given for: {', '.join(missing)}; "
            f"write source.{missing[0]}.{key}: {example.format(missing[0])}"
        )


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
