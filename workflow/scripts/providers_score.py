"""Score one shard."""

from riskflow.program import run_program
from riskflow.providers.score import run

if __name__ == "__main__":
    run_program(run)
