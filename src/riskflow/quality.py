"""The quality gate of a track: it stops the run when too many rows of a table went to quarantine.

It is a stage of its own, after ingest, so that the quarantine files are there to look at when it fails.
"""

from __future__ import annotations

from pathlib import Path

from riskflow.quarantine import assert_conserved, assert_share
from riskflow.receipts import Receipt, load


def checked_receipts(receipts: list[Path], limit: float, key: str) -> Receipt:
    """Return the counts of all tables together, after checking each ingest receipt.

    Raises RiskflowError when read = kept + quarantined does not hold for a table, or when more than `limit`
    (0..1) of its rows are quarantined; `key` is the config key to name.
    """
    totals = {"read": 0, "kept": 0, "quarantined": 0}
    for path in receipts:
        counts, table = load(path).counts, path.stem.removeprefix("ingest_")
        assert_conserved(counts["read"], counts["kept"], counts["quarantined"], f"{table} rows")
        assert_share(counts["quarantined"], counts["read"], limit, table, key)
        totals = {name: totals[name] + counts[name] for name in totals}
    return Receipt(counts=totals)
