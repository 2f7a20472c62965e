"""Configuration of the places, beside the DuckDB warehouse, that results are published to."""

from typing import ClassVar, Literal

from pydantic import Field

from riskflow.config.base import Section, StageConfig


class PostgresSection(Section):
    """PostgreSQL, where the results are upserted in one transaction per run."""

    enabled: bool = False
    """Publish to PostgreSQL as well."""
    host: str = Field(default="127.0.0.1", min_length=1)
    """Host name, or the folder of a Unix socket."""
    port: int = Field(default=5432, ge=1, le=65535)
    """TCP port."""
    database: str = Field(default="riskflow", min_length=1)
    """Database; it must exist."""
    schema_name: str = Field(default="riskflow", min_length=1, max_length=63)
    """Schema of riskflow's tables; made when it is not there and the user may."""
    user: str = Field(default="riskflow_publisher", min_length=1)
    """User; least privilege: see roles.sql in src/riskflow/publish."""
    password_file: str = ""
    """File with the password on its first line; empty: RISKFLOW_POSTGRES_PASSWORD, else what libpq finds."""
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    """TLS: use verify-full with `sslrootcert` for a server on a network that is not yours."""
    sslrootcert: str = ""
    """File with the certificate authority of the server; empty: libpq's own."""
    history: bool = False
    """Keep the replaced rows in a history table."""
    wait_seconds: int = Field(default=600, ge=1)
    """How long to wait for another publisher to finish."""
    retry_seconds: int = Field(default=60, ge=0, le=3600)
    """How long to try again after a lost connection, a restart or a deadlock."""


class PublishConfig(Section):
    """Where results are published beside the DuckDB warehouse."""

    postgres: PostgresSection = PostgresSection()


class PostgresStage(StageConfig):
    """Config of publishing to PostgreSQL."""

    track: ClassVar[str] = "publish"
    postgres: PostgresSection


STAGES: dict[str, type[StageConfig]] = {"postgres": PostgresStage}
"""Stage name → the config that it may read."""
