"""Attribute the change since an earlier run."""

from riskflow.program import run_program
from riskflow.providers.decompose import run

if __name__ == "__main__":
    run_program(run)
