"""Rank payments per claim among peers."""

from riskflow.program import run_program
from riskflow.providers.percentiles import run

if __name__ == "__main__":
    run_program(run)
