"""Compare last year's run with this year's."""

from riskflow.members.compare import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
