"""Publish the scores to PostgreSQL."""

from riskflow.program import run_program
from riskflow.providers.publish.postgres import run

if __name__ == "__main__":
    run_program(run)
