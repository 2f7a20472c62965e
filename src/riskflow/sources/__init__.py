"""riskflow.sources."""
