"""Publish the members track to PostgreSQL."""

from riskflow.members.publish_postgres import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
