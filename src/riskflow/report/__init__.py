"""riskflow.report."""
