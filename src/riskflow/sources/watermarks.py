"""How far an export has come: the newest time of change per table, tied to the file and to what was asked for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from riskflow.files import write_text


@dataclass(frozen=True)
class Watermark:
    """Newest time of change in a table's file, what was asked of which server, and the file's sha256."""

    newest: str
    asked: str
    content: str


@dataclass
class Watermarks:
    """The watermarks of an export, kept as an artifact beside its files."""

    tables: dict[str, Watermark] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Watermarks:
        """Return what a file holds; none when it is not there, or is something else: all is read again then."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls({name: Watermark(**values) for name, values in content.items()})
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return cls()

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        values = {name: asdict(mark) for name, mark in self.tables.items()}
        write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", path)

    def since(self, table: str, asked: str, output: Path) -> str:
        """Return the newest time in `output`; empty unless it is the file of this very question."""
        mark = self.tables.get(table)
        if mark is None or mark.asked != asked or not output.exists() or mark.content != digest(output):
            return ""
        return mark.newest


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
