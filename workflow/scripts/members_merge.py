"""Merge the shards of one data set."""

from riskflow.members.merge import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
