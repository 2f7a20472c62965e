"""Receipts: what a stage read, kept and wrote, from what code and config, beside its artifacts as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from riskflow.artifacts import Artifact
from riskflow.files import write_text


@dataclass
class Receipt:
    """Facts of one stage run. `counts` are rows (read, kept, quarantined, …); `facts` whatever else is telling."""

    stage: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    inputs: list[Artifact] = field(default_factory=list)
    outputs: list[Artifact] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    provenance: str = ""
    run: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the receipt as JSON."""
        write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", path)


def load(path: Path) -> Receipt:
    """Return the receipt in a file."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["inputs"] = [Artifact(**item) for item in raw["inputs"]]
    raw["outputs"] = [Artifact(**item) for item in raw["outputs"]]
    return Receipt(**raw)
