"""Write the report page."""

from riskflow.program import run_program
from riskflow.providers.report import run

if __name__ == "__main__":
    run_program(run)
