"""riskflow doctor: which servers and optional parts are there, and how to get those that are not."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import typer

from riskflow.cli.console import row, show, table

State = Literal["ok", "not there", "needed"]
_STYLES = {"ok": "green", "not there": "yellow", "needed": "bold red"}
_CONNECT_SECONDS = 0.5
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
NEEDED = ("polars", "duckdb", "pandera", "pydantic", "snakemake", "typer", "jinja2", "matplotlib")
OLDEST_PYTHON = (3, 11)
_ENDPOINTS = ("SNAKEMAKE_STORAGE_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True)
class Finding:
    """One part: whether it is there, what was found, what it is for or how to get it."""

    part: str
    state: State
    found: str
    note: str


def register(seats: Any) -> None:
    """Add `doctor`."""
    seats.app.command("doctor")(doctor)


def doctor() -> None:
    """Say which servers and optional parts are there; exit code 1 only when a needed part is not."""
    findings = [finding for check in CHECKS for finding in check()]
    listing = table("part", "state", "found", "what for, or how to get it")
    for finding in findings:
        row(
            listing,
            finding.part,
            finding.state,
            finding.found,
            finding.note,
            styles={1: _STYLES[finding.state]},
        )
    show(listing)
    if any(finding.state == "needed" for finding in findings):
        raise typer.Exit(1)


def _python() -> Iterator[Finding]:
    new_enough = sys.version_info >= OLDEST_PYTHON
    yield Finding("Python", "ok" if new_enough else "needed", platform.python_version(), "3.11 or newer")
    missing = [name for name in NEEDED if find_spec(name) is None]
    found = f"{len(NEEDED) - len(missing)} of {len(NEEDED)}"
    note = f"missing: {', '.join(missing)}; make run installs them" if missing else "requirements.txt"
    yield Finding("Packages", "needed" if missing else "ok", found, note)
    yield _program("git", "git", "stamps results with branch and commit; install git", needed=False)


def _neo4j() -> Iterator[Finding]:
    yield _server(
        "Neo4j server",
        "NEO4J_URI",
        "bolt://localhost:7687",
        7687,
        "graph backend neo4j; start a Neo4j 5 server and set NEO4J_URI",
    )
    yield _package("Neo4j driver", "neo4j", "pip install neo4j")
    yield _program("Java", "java", "runs a Neo4j server of your own; Java 17 or newer", flag="-version")
    yield _program(
        "Maven", "mvn", "one way to fetch a Neo4j server, as jars; maven.apache.org", flag="-version"
    )


def _postgres() -> Iterator[Finding]:
    host, port = os.environ.get("PGHOST", "localhost"), int(os.environ.get("PGPORT", "5432"))
    note = "publishing to PostgreSQL; start a server, or set PGHOST, PGPORT, PGDATABASE, PGUSER"
    yield _reachable("PostgreSQL", host, port, note)
    yield _package("PostgreSQL driver", "psycopg", "pip install 'psycopg[binary]'")
    yield _program("psql", "psql", "the PostgreSQL client, for a look by hand; package postgresql-client")


def _slurm() -> Iterator[Finding]:
    there = [name for name in ("sbatch", "squeue", "sacct", "scancel") if shutil.which(name)]
    state: State = "ok" if len(there) == 4 else "not there"
    yield Finding(
        "SLURM commands",
        state,
        ", ".join(there) or "none",
        "profile slurm; run it on a login node of your cluster",
    )
    yield _package("SLURM plugin", "snakemake_executor_plugin_slurm", "pip install -r requirements-cloud.txt")


def _storage() -> Iterator[Finding]:
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
    note = "results on S3; set AWS_ENDPOINT_URL to a gateway, or use AWS as it is"
    if endpoint:
        address = urlsplit(endpoint)
        yield _reachable("S3 gateway", address.hostname or "", address.port or 443, note)
    else:
        yield Finding("S3 gateway", "not there", "AWS_ENDPOINT_URL not set", note)
    file = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    named = any(os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"))
    yield Finding(
        "S3 credentials",
        "ok" if named or file.is_file() else "not there",
        "in the environment" if named else "in a file" if file.is_file() else "none",
        "a role of the machine, a credentials file or AWS_PROFILE; never in config",
    )
    yield _package(
        "S3 storage plugin", "snakemake_storage_plugin_s3", "pip install -r requirements-cloud.txt"
    )


def _language() -> Iterator[Finding]:
    yield _package("spaCy", "spacy", "names in notes; pip install spacy")
    models = sorted(
        f"{point.name} {_version_of(point.dist)}".strip() for point in entry_points(group="spacy_models")
    )
    note = "optional: riskflow trains its own; another: python -m spacy download en_core_web_sm"
    yield Finding(
        "spaCy models", "ok" if models else "not there", ", ".join(models) or "none installed", note
    )


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _neo4j,
    _postgres,
    _slurm,
    _storage,
    _language,
)


def _server(part: str, variable: str, default: str, port: int, note: str) -> Finding:
    address = urlsplit(os.environ.get(variable, default))
    return _reachable(part, address.hostname or "localhost", address.port or port, note)


def _reachable(part: str, host: str, port: int, note: str) -> Finding:
    """Say whether something answers; the address has neither user nor password in it."""
    try:
        if host.startswith("/"):  # PGHOST may be the folder of a socket
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(_CONNECT_SECONDS)
                probe.connect(f"{host}/.s.PGSQL.{port}")
        else:
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError:
        return Finding(part, "not there", f"no answer at {host}:{port}", note)
    return Finding(part, "ok", f"answers at {host}:{port}", note)


def _package(part: str, module: str, note: str) -> Finding:
    if find_spec(module) is None:
        return Finding(part, "not there", "not installed", note)
    try:
        return Finding(part, "ok", version(module.replace("_", "-")), "")
    except PackageNotFoundError:
        return Finding(part, "ok", "installed", "")


def _program(part: str, name: str, note: str, *, flag: str = "--version", needed: bool = False) -> Finding:
    if shutil.which(name) is None:
        return Finding(part, "needed" if needed else "not there", f"no {name} on the PATH", note)
    try:
        done = subprocess.run([name, flag], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Finding(part, "not there", f"{name} {flag} gave no answer", note)
    first = next(iter(_ANSI.sub("", done.stdout or done.stderr).strip().splitlines()), "")
    return Finding(part, "ok", first.removeprefix(f"{name} version "), "")


def _version_of(distribution: Any) -> str:
    return str(distribution.version) if distribution is not None else ""
