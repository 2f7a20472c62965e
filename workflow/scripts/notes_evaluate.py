"""Measure recall and over-redaction on labelled notes."""

from riskflow.notes.evaluate_stage import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
