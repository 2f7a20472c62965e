"""Decide which exclusions are active and what was paid after them."""

from riskflow.program import run_program
from riskflow.providers.exclusions import run

if __name__ == "__main__":
    run_program(run)
