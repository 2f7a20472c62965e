"""Match exclusions by name, birth date and state, as candidates."""

from riskflow.program import run_program
from riskflow.providers.matching import run

if __name__ == "__main__":
    run_program(run)
