"""Publish the scores into the warehouse."""

from riskflow.program import run_program
from riskflow.providers.publish.warehouse import run

if __name__ == "__main__":
    run_program(run)
