"""Redact the notes of one shard."""

from riskflow.notes.redact.stage import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
