"""Export the raw provider tables from PostgreSQL."""

from riskflow.program import run_program
from riskflow.providers.source_postgres import run

if __name__ == "__main__":
    run_program(run)
