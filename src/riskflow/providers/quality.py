"""The quality gate of the provider track."""

from __future__ import annotations

from pathlib import Path

from riskflow.config.providers import QualityStage
from riskflow.quality import checked_receipts
from riskflow.receipts import Receipt


def run(*, receipts: list[Path], config: QualityStage) -> Receipt:
    """Check the receipts of ingest against the quality section of the config."""
    return checked_receipts(receipts, config.quality.max_quarantined, "providers.quality.max_quarantined")
