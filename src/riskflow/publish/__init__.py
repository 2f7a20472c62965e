"""riskflow.publish."""
