"""Read, type and check one raw provider table."""

from riskflow.program import run_program
from riskflow.providers.ingest import run

if __name__ == "__main__":
    run_program(run)
