"""riskflow.config."""
