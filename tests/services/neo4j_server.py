"""A Neo4j that the tests own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import neo4j
from neo4j.exceptions import DriverError, Neo4jError

from riskflow.config.providers import Neo4jSection
from tests.services.needs import INSTALLED, SERVICES, free_port, missing, wait_until


class Neo4jServer:
    """A server in a folder of its own; `kill` is a crash, `start` again after it recovers."""

    def __init__(self) -> None:
        if not (INSTALLED / "neo4j" / "lib").is_dir() or shutil.which("java") is None:
            missing("Neo4j", "neo4j")
        self.home = Path(tempfile.mkdtemp(prefix="riskflow-neo4j-"))
        self.port = free_port()
        self.uri = f"bolt://127.0.0.1:{self.port}"
        self.password = secrets.token_hex(8)
        self.password_file = self.home / "password"
        self.password_file.write_text(self.password + "\n")
        self.password_file.chmod(0o600)
        self._process: subprocess.Popen[bytes] | None = None
        self._has_password = False

    def section(self, **changes: object) -> Neo4jSection:
        """Return the config section that reaches this server."""
        values = {"uri": self.uri, "password_file": str(self.password_file)} | changes
        return Neo4jSection.model_validate(values)

    def start(self) -> None:
        """Start and wait for Bolt."""
        log = (self.home / "server.log").open("ab")
        command = [str(SERVICES / "neo4j.sh"), str(self.home / "home"), str(self.port)]
        environment = os.environ | {"RISKFLOW_SERVICES": str(INSTALLED)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
        wait_until(self._answers, 180, "Neo4j")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it and remove its folder."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(how)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def driver(self) -> neo4j.Driver:
        """Return a driver of the test's own."""
        return neo4j.GraphDatabase.driver(self.uri, auth=("neo4j", self.password))

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise AssertionError((self.home / "server.log").read_text()[-2000:])
        try:
            if not self._has_password:
                self._set_password()
            with self._impatient("neo4j", self.password) as driver:
                driver.execute_query("RETURN 1")
        except (DriverError, Neo4jError):
            return False
        return True

    def _impatient(self, user: str, password: str) -> neo4j.Driver:
        """Return a driver that does not wait and try again by itself: we ask again soon enough."""
        return neo4j.GraphDatabase.driver(self.uri, auth=(user, password), max_transaction_retry_time=0)

    def _set_password(self) -> None:
        with self._impatient("neo4j", "neo4j") as driver:
            driver.execute_query(
                "ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO $password",
                password=self.password,
                database_="system",
            )
        self._has_password = True
