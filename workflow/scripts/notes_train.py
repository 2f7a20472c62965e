"""Train the name model."""

from riskflow.notes.ner.stage import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
