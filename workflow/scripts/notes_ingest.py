"""Read clinical records into typed shards."""

from riskflow.notes.ingest.stage import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
