"""The quality gate of the members track: it stops the run when too many rows of a table went to quarantine.

It is a stage of its own, after ingest, so that the quarantine files are there to look at when it fails.
"""

from __future__ import annotations

from pathlib import Path

from riskflow.config.members import MembersQualityStage
from riskflow.quarantine import assert_conserved, assert_share
from riskflow.receipts import Receipt, load

TABLES = ("spans", "diagnoses", "drugs")


def table_counts(receipt: Receipt) -> dict[str, dict[str, int]]:
    """Return table → rows read, kept and quarantined, from the receipt of ingest, which is about three tables."""
    found = {}
    for table in TABLES:
        read, kept = receipt.counts[f"{table}_read"], receipt.counts[f"{table}_kept"]
        found[table] = {"read": read, "kept": kept, "quarantined": read - kept}
    return found


def run(*, receipts: list[Path], config: MembersQualityStage) -> Receipt:
    """Check the receipts of ingest, table by table, against the quality section of the config."""
    totals = {"read": 0, "kept": 0, "quarantined": 0}
    for path in receipts:
        receipt = load(path)
        whole, data_set = receipt.counts, path.stem.removeprefix("ingest_")
        assert_conserved(whole["read"], whole["kept"], whole["quarantined"], f"{data_set} rows")
        for table, counts in table_counts(receipt).items():
            assert_share(
                counts["quarantined"],
                counts["read"],
                config.quality.max_quarantined,
                f"{data_set} {table}",
                "members.quality.max_quarantined",
            )
        totals = {name: totals[name] + whole[name] for name in totals}
    return Receipt(counts=totals)
