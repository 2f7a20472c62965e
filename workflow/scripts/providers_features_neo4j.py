"""Ask Neo4j about one shard."""

from riskflow.program import run_program
from riskflow.providers.graph.features_neo4j import run

if __name__ == "__main__":
    run_program(run)
