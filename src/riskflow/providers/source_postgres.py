"""Stage: export the four raw provider tables from PostgreSQL, as of one snapshot, to files that ingest reads."""

from __future__ import annotations

from pathlib import Path

from riskflow.config.providers import ExportStage, SourceSection, TableSource
from riskflow.providers.raw import column_names
from riskflow.providers.source_tables import TABLES
from riskflow.receipts import Receipt
from riskflow.sources.postgres import Columns, Export, export


def run(
    *,
    registry: Path,
    payments: Path,
    exclusions: Path,
    ownership: Path,
    watermarks: Path,
    config: ExportStage,
) -> Receipt:
    """Export each table under the names that its columns have there; ingest maps them as it does those of files."""
    outputs = {"registry": registry, "payments": payments, "exclusions": exclusions, "ownership": ownership}
    exports = {name: table_export(name, config.source, output) for name, output in outputs.items()}
    done = export(config.source.postgres, list(exports.values()), watermarks)
    rows = {f"{name}_rows": done[table.table].rows for name, table in exports.items()}
    read = {f"{name}_read": done[table.table].read for name, table in exports.items()}
    return Receipt(counts=rows | read)


def table_export(name: str, source: SourceSection, output: Path) -> Export:
    """Return what to export of a raw table: the columns that ingest knows, the key, and the time of change."""
    layout: TableSource = getattr(source, name)
    rules = TABLES[name]

    def columns(there: list[str]) -> Columns:
        wanted = column_names(Path(layout.table), there, layout.columns, name, rules.required, rules.optional)
        extra = [*layout.key, *([layout.updated_column] if layout.updated_column else [])]
        return {column: column for column in [*wanted.values(), *extra]}

    return Export(layout.table, columns, output, layout.key, layout.updated_column)
