"""Schemas and tables of PostgreSQL, made by numbered SQL files, each applied once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from riskflow.config.publish import PostgresSection
from riskflow.errors import RiskflowError
from riskflow.resources import text

MIGRATIONS_TABLE = "riskflow_migrations"


@dataclass(frozen=True)
class SqlFile:
    """A .sql file beside a module."""

    package: str
    name: str

    def text(self) -> str:
        """Return its text."""
        return text(self.package, self.name)


REGISTRY = (
    SqlFile("riskflow.publish", "postgres_0001_registry.sql"),
    SqlFile("riskflow.publish", "postgres_0002_scopes.sql"),
)


def enter(connection: psycopg.Connection, section: PostgresSection) -> None:
    """Wait for other publishers into the same schema, then work inside it."""
    wait = sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(section.wait_seconds * 1000))
    connection.execute(wait)
    lock = int.from_bytes(
        hashlib.sha256(f"riskflow:{section.schema_name}".encode()).digest()[:8], "big", signed=True
    )
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
    use_schema(connection, section, section.schema_name)
    connection.execute("SET LOCAL client_encoding TO 'UTF8'")


def use_schema(connection: psycopg.Connection, section: PostgresSection, name: str) -> None:
    """Let unqualified names mean those of a schema, which is made where it is absent."""
    usable = "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %s"
    found = connection.execute(usable, [name]).fetchone()
    schema = sql.Identifier(name)
    if found is None:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    elif not found[0]:
        raise RiskflowError(
            f"user {section.user} may not use the schema {name}", "GRANT it: see docs/postgres_roles.sql"
        )
    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(schema))


def migrate(
    connection: psycopg.Connection, section: PostgresSection, migrations: Sequence[tuple[str, SqlFile]]
) -> list[str]:
    """Apply the migrations (schema, file) that are not applied yet, in order; return their names.

    A migration that was applied and whose file is another one now is an error: history is not rewritten.
    """
    known = _applied(connection)
    applied = []
    for schema, migration in dict.fromkeys(migrations):
        content = migration.text()
        digest = hashlib.sha256(content.encode()).hexdigest()
        name = migration.name if schema == section.schema_name else f"{schema}/{migration.name}"
        if name in known:
            if known[name] != digest:
                raise RiskflowError(
                    f"migration {name} was applied with other content than it has now",
                    "put the file back and add a new one with the next number",
                )
            continue
        use_schema(connection, section, schema)
        connection.execute(content)
        use_schema(connection, section, section.schema_name)
        insert = "INSERT INTO riskflow_migrations (name, sha256) VALUES (%s, %s)"
        connection.execute(insert, [name, digest])
        applied.append(name)
    return applied


def _applied(connection: psycopg.Connection) -> dict[str, str]:
    if connection.execute("SELECT to_regclass(%s)", [MIGRATIONS_TABLE]).fetchone() == (None,):
        return {}
    return dict(connection.execute("SELECT name, sha256 FROM riskflow_migrations").fetchall())
