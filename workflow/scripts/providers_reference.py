"""Compute the peer statistics."""

from riskflow.program import run_program
from riskflow.providers.reference import run

if __name__ == "__main__":
    run_program(run)
