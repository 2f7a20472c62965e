"""Stop when too many rows of a provider table went to quarantine."""

from riskflow.program import run_program
from riskflow.providers.quality import run

if __name__ == "__main__":
    run_program(run)
