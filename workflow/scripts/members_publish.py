"""Publish the members track into the warehouse."""

from riskflow.members.warehouse import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
