"""Generate the demo's raw files."""

from riskflow.program import run_program
from riskflow.providers.demo_files import run

if __name__ == "__main__":
    run_program(run)
