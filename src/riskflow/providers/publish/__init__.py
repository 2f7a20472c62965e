"""Publishing the provider scores: DuckDB warehouse (and, where configured, PostgreSQL)."""
