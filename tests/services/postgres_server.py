"""A PostgreSQL that the tests own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests.services.needs import SERVICES, free_port, missing


class PostgresServer:
    """A throw-away cluster; `crash` ends it as a power cut would, `start` again recovers."""

    def __init__(self, profile: str = "test") -> None:
        if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
            missing("PostgreSQL", "postgres")
        self.folder = Path(tempfile.mkdtemp(prefix="riskflow-postgres-"))
        self.port = free_port()
        self._profile = profile

    def start(self) -> None:
        """Start and wait until it accepts connections."""
        self._run("up", str(self.port))
        self.password_file = self.folder / "password"
        self.password = self.password_file.read_text().strip()

    def crash(self) -> None:
        """End it without a shutdown checkpoint."""
        self._run("down", "immediate")

    def stop(self) -> None:
        """Stop it and remove its folder."""
        self._run("down", "immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command: str, argument: str) -> None:
        script = [str(SERVICES / "postgres.sh"), command, str(self.folder), argument]
        subprocess.run(
            script,
            check=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PG_PROFILE": self._profile},
        )

    def run_sql_file(self, database: str, file: Path, **variables: str) -> None:
        """Run a psql script as the superuser, the way its first lines say."""
        settings = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
        command = [
            "psql",
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            *settings,
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        subprocess.run(
            [*command, "-U", "postgres", "-d", database],
            input=file.read_text(),
            text=True,
            check=True,
            timeout=60,
            env=os.environ | {"PGPASSWORD": self.password},
        )

    def connect(self, database: str = "postgres", **more: object) -> psycopg.Connection:
        """Return a connection of the test's own, as superuser, that commits each statement."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.password,
            dbname=database,
            autocommit=True,
            **more,  # type: ignore[arg-type]
        )
