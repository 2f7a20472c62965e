"""Rank the scored providers."""

from riskflow.program import run_program
from riskflow.providers.rank import run

if __name__ == "__main__":
    run_program(run)
