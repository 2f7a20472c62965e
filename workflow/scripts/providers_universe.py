"""List every provider that gets a row."""

from riskflow.program import run_program
from riskflow.providers.universe import run

if __name__ == "__main__":
    run_program(run)
