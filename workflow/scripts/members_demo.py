"""Generate the demo members of one benefit year."""

from riskflow.members.demo import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
