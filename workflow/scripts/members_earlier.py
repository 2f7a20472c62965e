"""Take an earlier run from the warehouse."""

from riskflow.members.earlier import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
