"""The quality gate of the notes track: it stops the run when too many records of a table went to quarantine."""

from __future__ import annotations

from pathlib import Path

from riskflow.config.notes import NotesQualityStage
from riskflow.contracts.notes_sources import SOURCE_TABLES
from riskflow.quality import checked_receipts
from riskflow.quarantine import assert_share
from riskflow.receipts import Receipt, load

KEY = "notes.quality.max_quarantined"


def run(*, receipts: list[Path], config: NotesQualityStage) -> Receipt:
    """Check the receipt of ingest, all tables together and each by itself, against the limit of the config."""
    limit = config.quality.max_quarantined
    for path in receipts:
        facts = load(path).facts
        for table in SOURCE_TABLES:
            read, kept = facts["read"].get(table, 0), facts["kept"].get(table, 0)
            assert_share(read - kept, read, limit, table, KEY)
    return checked_receipts(receipts, limit, KEY)
