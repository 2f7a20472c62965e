"""Read the finished tables for leaks."""

from riskflow.notes.leakgate import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
