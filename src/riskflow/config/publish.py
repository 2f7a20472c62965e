"""Configuration of the places, beside the DuckDB warehouse, that results are published to."""

from typing import ClassVar

from pydantic import Field

from riskflow.config.base import Section, StageConfig
from riskflow.config.postgres import PostgresConnection


class PostgresSection(PostgresConnection):
    """PostgreSQL, where every track's results are upserted, in one transaction per run."""

    enabled: bool = False
    """Publish to PostgreSQL as well."""
    schema_name: str = Field(default="riskflow", min_length=1, max_length=63)
    """Schema of the provider scores and of what is known of runs; made when it is not there and the user may."""
    members_schema: str = Field(default="main", min_length=1, max_length=50)
    """Beginning of the members' schemas: main gives main_intermediate, main_runs and main_analytics."""
    notes_schema: str = Field(default="notes", min_length=1, max_length=63)
    """Schema of the notes' tables."""
    history: bool = False
    """Keep the replaced provider scores in a history table."""
    wait_seconds: int = Field(default=600, ge=1)
    """How long to wait for another publisher to finish."""


class PublishConfig(Section):
    """Where results are published beside the DuckDB warehouse."""

    postgres: PostgresSection = PostgresSection()


class PostgresStage(StageConfig):
    """Config of publishing to PostgreSQL."""

    track: ClassVar[str] = "publish"
    postgres: PostgresSection


STAGES: dict[str, type[StageConfig]] = {"postgres": PostgresStage}
"""Stage name → the config that it may read."""
