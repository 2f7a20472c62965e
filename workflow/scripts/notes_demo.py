"""Generate demo patients, their labelled notes and the demo key."""

from riskflow.notes.demo_files import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
