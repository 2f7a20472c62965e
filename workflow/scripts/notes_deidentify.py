"""De-identify the structured tables."""

from riskflow.notes.deidentify import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
