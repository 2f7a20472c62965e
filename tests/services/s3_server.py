"""An S3-compatible server over a folder, that the tests own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import boto3

from tests.services.needs import INSTALLED, SERVICES, free_port, missing, wait_until


class S3Server:
    """A gateway on 127.0.0.1; its keys are in a credentials file, as a user would have them."""

    def __init__(self) -> None:
        if not (INSTALLED / "bin" / "versitygw").exists():
            missing("The S3 server versitygw", "s3")
        self.folder = Path(tempfile.mkdtemp(prefix="riskflow-s3-"))
        self.port = free_port()
        self.secret = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials_file(self) -> Path:
        return self.folder / "credentials"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.credentials_file.write_text(
            f"[default]\naws_access_key_id = riskflow\naws_secret_access_key = {self.secret}\n"
        )
        self._process = subprocess.Popen(
            [str(SERVICES / "s3.sh"), str(self.folder / "data"), str(self.port)],
            env={**os.environ, "ROOT_ACCESS_KEY": "riskflow", "ROOT_SECRET_KEY": self.secret},
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "server.log").open("wb"),
            stderr=subprocess.STDOUT,
        )
        wait_until(self._answers, 20, "the S3 server")

    def stop(self) -> None:
        """Stop it and remove its folder."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def objects(self, bucket: str, prefix: str) -> dict[str, bytes]:
        """Return name below the prefix → content of all objects there."""
        found = self.client().list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {
            item["Key"].removeprefix(prefix): self.client()
            .get_object(Bucket=bucket, Key=item["Key"])["Body"]
            .read()
            for item in found
        }

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="riskflow",
            aws_secret_access_key=self.secret,
        )

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
