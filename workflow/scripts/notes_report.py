"""Write the report page."""

from riskflow.notes.report import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
