"""How to reach a PostgreSQL server, for sources and for publishing."""

from typing import Literal

from pydantic import Field

from riskflow.config.base import Section


class PostgresConnection(Section):
    """A PostgreSQL server, a database on it, and who asks."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Host name, or the folder of a Unix socket."""
    port: int = Field(default=5432, ge=1, le=65535)
    """TCP port."""
    database: str = Field(default="riskflow", min_length=1)
    """Database; it must exist."""
    user: str = Field(default="riskflow_publisher", min_length=1)
    """User; least privilege: see docs/postgres_roles.sql."""
    password_file: str = ""
    """File with the password on its first line; empty: RISKFLOW_POSTGRES_PASSWORD, else what libpq finds."""
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    """TLS: use verify-full with `sslrootcert` for a server on a network that is not yours."""
    sslrootcert: str = ""
    """File with the certificate authority of the server; empty: libpq's own."""
    retry_seconds: int = Field(default=60, ge=0, le=3600)
    """How long to try again after a lost connection, a restart or a deadlock."""


class PostgresSource(PostgresConnection):
    """A PostgreSQL server to read raw tables from; each table's `table` names it there, as schema.table."""

    user: str = Field(default="riskflow_reader", min_length=1)
    """User; may read the tables and nothing else."""
    overlap_minutes: int = Field(default=1440, ge=0)
    """Rows changed this long before the newest one seen are read again: they may have been committed late."""
    as_of: str = ""
    """Any text, such as today's date: the tables are exported when it is another than before, not at every run."""
    watch: bool = False
    """Ask the server at every plan whether its tables have changed, and export them when they have."""
