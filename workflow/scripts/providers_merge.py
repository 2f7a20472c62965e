"""Merge the scored shards."""

from riskflow.program import run_program
from riskflow.providers.merge import run

if __name__ == "__main__":
    run_program(run)
