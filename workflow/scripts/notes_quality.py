"""Stop when too many records of a table went to quarantine."""

from riskflow.notes.quality import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
