"""Record that a scoring run has started."""

from riskflow.members.record import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
