"""riskflow.contracts."""
