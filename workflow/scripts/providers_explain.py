"""Explain every score."""

from riskflow.program import run_program
from riskflow.providers.explain import run

if __name__ == "__main__":
    run_program(run)
