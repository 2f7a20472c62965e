"""Load the ownership graph into Neo4j."""

from riskflow.program import run_program
from riskflow.providers.graph.load_neo4j import run

if __name__ == "__main__":
    run_program(run)
