"""riskflow: raw US health-care payer data in, validated and explainable risk analytics out."""

import gc

# Importing makes some 100,000 objects that stay: by default Python looks through all of them a dozen times meanwhile.
gc.set_threshold(100_000, 20, 20)
