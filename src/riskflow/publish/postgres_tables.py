"""Bring PostgreSQL tables up to a run's rows: what differs goes in one transaction and is compared before commit."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import psycopg
from psycopg import sql

from riskflow.config.publish import PostgresSection
from riskflow.errors import RiskflowError
from riskflow.publish.postgres import connected, retried
from riskflow.publish.postgres_difference import Difference, Publication
from riskflow.publish.postgres_difference import Part as Part
from riskflow.publish.postgres_difference import Table as Table
from riskflow.publish.postgres_migrations import REGISTRY, enter, migrate
from riskflow.publish.postgres_migrations import SqlFile as SqlFile
from riskflow.publish.registry import RunFacts
from riskflow.receipts import load
from riskflow.resources import text


@dataclass(frozen=True)
class Run:
    """The run to publish: registry facts, when it was made, and whether it has every row there is (not a delta)."""

    facts: RunFacts
    made_at: datetime
    whole: bool = True


def made_at(receipts: Iterable[Path]) -> datetime:
    """Return when a run was made: its youngest receipt's start. Of two different runs, the one made later counts."""
    return max(datetime.fromisoformat(load(path).run["started"]) for path in receipts)


def publish(
    section: PostgresSection,
    parts: Sequence[Part],
    prepare: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
    run: Run,
) -> dict[str, int]:
    """Publish rows of relations in the DuckDB that `prepare` opens, each a part: what is referred to comes first.

    All of it happens in one transaction under an advisory lock: migrations, the rows that differ, the rows that
    are gone (of whole runs), the registry. Readers see the old run or the new one. A run that was already
    published changes nothing (and is not even prepared); one that is older than what is there is refused.
    Returns counts: rows, written, removed, no_op. Raises RiskflowError; then nothing was published.
    """
    what = f"publishing {run.facts.track}"
    return retried(lambda: _publish_once(section, parts, prepare, run), section, what)


def _publish_once(
    section: PostgresSection,
    parts: Sequence[Part],
    prepared: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
    run: Run,
) -> dict[str, int]:
    with connected(section) as connection, tempfile.TemporaryDirectory() as scratch:
        enter(connection, section)
        tables = [(part.table.schema, file) for part in parts for file in part.table.migrations]
        migrate(connection, section, [*((section.schema_name, file) for file in REGISTRY), *tables])
        known = [_known(connection, part) for part in parts]
        if all(_holds(connection, part, found, run) for part, found in zip(parts, known, strict=True)):
            rows = sum(found.rows for found in known if found)
            return {"rows": rows, "written": 0, "removed": 0, "no_op": 1}
        _refuse_older(parts, known, run)
        with prepared() as source:
            stamps = {"run_id": run.facts.run_id, "updated_at": "now"}
            shared = Publication(connection, source, stamps, run.whole, section.history, Path(scratch))
            differences = [Difference(shared, part, number) for number, part in enumerate(parts)]
            counts, totals = _bring_up_to(differences)
        for part, found, total in zip(parts, known, totals, strict=True):
            _refuse_other_content(part, found, total, run)
        _register(connection, parts, run, totals)
    return {"rows": sum(total[0] for total in totals), **counts, "no_op": 0}


def _bring_up_to(differences: Sequence[Difference]) -> tuple[dict[str, int], list[tuple[int, ...]]]:
    """Make the tables hold the run's rows and return counts and totals; what is read back must be what was sent."""
    counts = {"written": 0, "removed": 0}
    left = list(differences)
    held: dict[int, tuple[int, ...]] = {}
    for trusted in (
        True,
        False,
    ):  # the second time for rows changed by hand: their hashes no longer tell them
        written = [difference.write(trusted=trusted) for difference in left]
        removed = [difference.remove_gone() for difference in reversed(left)]
        counts["written"] += sum(written)
        counts["removed"] += sum(removed)
        found = {id(difference): difference.totals() for difference in left}
        held |= {key: totals for key, totals in found.items() if totals is not None}
        left = [difference for difference in left if found[id(difference)] is None]
        if not left:
            return counts, [held[id(difference)] for difference in differences]
    raise RiskflowError(
        f"{left[0].part.name}: what was read back is not what was sent; nothing was published",
        "a trigger or a rule on the table may change rows: remove it",
    )


@dataclass(frozen=True)
class _Known:
    """What was published last as a part."""

    run_id: str
    made_at: datetime
    rows: int
    digest: str


def _known(connection: psycopg.Connection, part: Part) -> _Known | None:
    query = "SELECT run_id, made_at, rows_published, digest FROM published_tables WHERE table_name = %s AND scope = %s"
    found = connection.execute(query, [part.name, part.run]).fetchone()
    return _Known(*found) if found else None


def _holds(connection: psycopg.Connection, part: Part, known: _Known | None, run: Run) -> bool:
    """Return whether the table holds this very run."""
    if known is None or known.run_id != run.facts.run_id:
        return False
    count = sql.SQL("SELECT count(*) FROM {} AS t WHERE {}").format(part.table.identifier, part.where())
    return connection.execute(count).fetchone() == (known.rows,)


def _refuse_older(parts: Sequence[Part], known: Sequence[_Known | None], run: Run) -> None:
    """Raise when a table that holds one run at a time holds a newer one than this."""
    for part, found in zip(parts, known, strict=True):
        if found is not None and found.made_at > run.made_at and not part.table.scope:
            raise _older(part, found, run)


def _refuse_other_content(part: Part, known: _Known | None, totals: tuple[int, ...], run: Run) -> None:
    """Raise when rows of one run, side by side with those of others, were published newer and with other content."""
    if known is not None and known.made_at > run.made_at and known.digest != _digest(totals):
        raise _older(part, known, run)


def _older(part: Part, known: _Known, run: Run) -> RiskflowError:
    when = "%Y-%m-%d %H:%M:%S %Z"
    return RiskflowError(
        f"{part.name} holds run {known.run_id} of {known.made_at:{when}}, which is newer than this run "
        f"({run.facts.run_id} of {run.made_at:{when}})",
        "to go back to it on purpose, delete the table's row in published_tables first",
    )


def _register(
    connection: psycopg.Connection, parts: Sequence[Part], run: Run, totals: Sequence[tuple[int, ...]]
) -> None:
    package = __package__ or ""
    connection.execute(text(package, "postgres_register.sql"), asdict(run.facts) | {"made_at": run.made_at})
    for part, total in zip(parts, totals, strict=True):
        values = {"table": part.name, "scope": part.run, "run_id": run.facts.run_id, "made_at": run.made_at}
        connection.execute(
            text(package, "postgres_published.sql"), values | {"rows": total[0], "digest": _digest(total)}
        )


def _digest(totals: tuple[int, ...]) -> str:
    return hashlib.sha256(repr(totals).encode()).hexdigest()
