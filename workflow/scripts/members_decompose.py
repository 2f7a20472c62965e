"""Run the scenarios and decompose the change between them."""

from riskflow.members.decomposition import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
