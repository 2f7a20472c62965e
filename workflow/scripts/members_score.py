"""Score one shard of members."""

from riskflow.members.engine.stage import run
from riskflow.program import run_program

if __name__ == "__main__":
    run_program(run)
