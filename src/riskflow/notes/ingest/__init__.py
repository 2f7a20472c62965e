"""Streaming ingest of clinical records: any supported format to three typed tables and a quarantine."""
