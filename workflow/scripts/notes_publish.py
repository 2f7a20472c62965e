"""Publish what passed the leak gate."""

from riskflow.notes.publish import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
