"""Ask the ownership graph about one shard."""

from riskflow.program import run_program
from riskflow.providers.graph.embedded import run

if __name__ == "__main__":
    run_program(run)
