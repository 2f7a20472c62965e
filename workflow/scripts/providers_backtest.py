"""Score as of a past day and look at later exclusions."""

from riskflow.program import run_program
from riskflow.providers.backtest import run

if __name__ == "__main__":
    run_program(run)
