"""Cut the population into shards."""

from riskflow.program import run_program
from riskflow.providers.shard import run

if __name__ == "__main__":
    run_program(run)
