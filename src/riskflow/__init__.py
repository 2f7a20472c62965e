"""riskflow: raw US health-care payer data in, validated and explainable risk analytics out."""
