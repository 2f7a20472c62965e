"""Build the ownership graph."""

from riskflow.program import run_program
from riskflow.providers.graph.build import run

if __name__ == "__main__":
    run_program(run)
