"""PostgreSQL: connections, errors in words, and retries."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import LiteralString, TypeVar

import psycopg
from psycopg import errors

from riskflow.config.postgres import PostgresConnection
from riskflow.credentials import password
from riskflow.errors import RiskflowError

log = logging.getLogger("riskflow")

PASSWORD_VARIABLE = "RISKFLOW_POSTGRES_PASSWORD"
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
_SAFE_CLASSES = ("42", "53", "55", "57", "3D", "3F", "28")
"""SQLSTATE classes whose messages name objects and resources, never values (PostgreSQL manual, appendix A)."""

Answer = TypeVar("Answer")


@contextmanager
def connected(section: PostgresConnection, *settings: LiteralString) -> Iterator[psycopg.Connection]:
    """Yield a connection in one transaction: committed at the end of the block, rolled back when it raises.

    `settings` are statements that the transaction begins with.
    """
    try:
        connection = psycopg.connect(
            host=section.host,
            port=section.port,
            dbname=section.database,
            user=section.user,
            password=_password(section),
            sslmode=section.sslmode,
            sslrootcert=section.sslrootcert or None,
            connect_timeout=10,
            application_name="riskflow",
        )
    except psycopg.OperationalError as error:
        raise _refused(error, section) from None
    with connection:
        for statement in settings:
            connection.execute(statement)
        yield connection


def retried(work: Callable[[], Answer], section: PostgresConnection, doing: str) -> Answer:
    """Return what `work` returns; try it again after transient errors, with growing pauses.

    `work` must be all or nothing: one transaction that can be repeated. Other errors become a
    RiskflowError without the server's text where that may hold values.
    """
    deadline, pause = time.monotonic() + section.retry_seconds, FIRST_PAUSE_SECONDS
    while True:
        try:
            return work()
        except (psycopg.Error, _Refused) as error:
            if not _is_transient(error) or time.monotonic() + pause > deadline:
                raise (
                    error if isinstance(error, RiskflowError) else explained(error, section, doing)
                ) from None
            log.warning("%s: %s; trying again in %.1f s", doing, _kind(error), pause)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def explained(error: psycopg.Error, section: PostgresConnection, doing: str) -> RiskflowError:
    """Return the sentence for an error; nothing was changed."""
    where = f"PostgreSQL {section.host}:{section.port}/{section.database}"
    state = error.sqlstate or ""
    names = [error.diag.table_name, error.diag.column_name, error.diag.constraint_name]
    about = f" ({', '.join(name for name in names if name)})" if any(names) else ""
    if not state:
        return RiskflowError(
            f"{where}: the connection was lost while {doing}; nothing of it was committed",
            "start the server and run the same command again",
        )
    message = f": {error.diag.message_primary}" if state.startswith(_SAFE_CLASSES) else ""
    return RiskflowError(
        f"{where}: {type(error).__name__} ({state}) while {doing}{message}{about}; nothing was changed",
        _HINTS.get(state, "look at the tables that riskflow made there, and at the server's log"),
    )


_HINTS = {
    "42501": "GRANT it: see docs/postgres_roles.sql",
    "42P01": "check the table's name in the config; if riskflow made it, drop its schema and publish again",
    "42703": "check the column's name in the config; if riskflow made it, drop its schema and publish again",
    "55P03": "another publisher holds the lock: wait for it, or raise publish.postgres.wait_seconds",
    "53100": "the server's disk is full: free space there and run the same command again",
}


class _Refused(RiskflowError):
    """No connection; `transient` when trying again may help."""

    transient = False


def _refused(error: psycopg.OperationalError, section: PostgresConnection) -> _Refused:
    text = str(error)
    where = f"{section.host}:{section.port}"
    if "password authentication failed" in text or "no password supplied" in text or "pg_hba.conf" in text:
        hint = f"check the user and password_file in the config (or {PASSWORD_VARIABLE})"
        return _Refused(f"PostgreSQL at {where} refuses user {section.user}", hint)
    if f'database "{section.database}" does not exist' in text:
        hint = "create it, or correct the database in the config"
        return _Refused(f"PostgreSQL at {where} has no database {section.database}", hint)
    if "SSL" in text or "certificate" in text:
        hint = "check sslmode and sslrootcert in the config"
        return _Refused(f"PostgreSQL at {where}: no TLS connection as asked ({section.sslmode})", hint)
    refused = _Refused(
        f"no PostgreSQL answers at {where}", "start the server, or check host and port in the config"
    )
    refused.transient = True
    return refused


def _is_transient(error: psycopg.Error | _Refused) -> bool:
    if isinstance(error, _Refused):
        return error.transient
    repeatable = (
        errors.SerializationFailure | errors.DeadlockDetected | errors.AdminShutdown | errors.CrashShutdown
    )
    lost = isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith("08")
    return lost or isinstance(error, repeatable | errors.CannotConnectNow)


def _kind(error: psycopg.Error | _Refused) -> str:
    return error.message if isinstance(error, RiskflowError) else type(error).__name__


def _password(section: PostgresConnection) -> str | None:
    if section.password_file or os.environ.get(PASSWORD_VARIABLE):
        return password(section.password_file, PASSWORD_VARIABLE, "password_file of PostgreSQL")
    return None
