"""Total the payments per provider and year."""

from riskflow.program import run_program
from riskflow.providers.metrics import run

if __name__ == "__main__":
    run_program(run)
