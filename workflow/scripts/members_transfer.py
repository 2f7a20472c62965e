"""Compute risk adjustment state transfers."""

from riskflow.members.transfer import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
