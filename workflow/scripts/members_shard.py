"""Cut the members into shards."""

from riskflow.members.shard import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
