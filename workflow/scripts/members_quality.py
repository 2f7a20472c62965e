"""Stop when too many rows of a member table went to quarantine."""

from riskflow.members.quality import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
