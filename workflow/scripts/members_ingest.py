"""Read and validate the raw member tables of one benefit year."""

from riskflow.members.ingest_stage import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
