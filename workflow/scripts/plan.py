"""Make the plan of a track from its shard manifest and the receipts of what all shards read."""

from riskflow.program import run_program
from riskflow.sharding import run

if __name__ == "__main__":
    run_program(run)
