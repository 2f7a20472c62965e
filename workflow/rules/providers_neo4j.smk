"""Providers: the ownership graph on a Neo4j server, where `providers.graph.backend` is neo4j."""


ruleorder: providers_features_neo4j > providers_features


rule providers_load_graph:
    input:
        nodes=f"{P}/graph/nodes.parquet",
        edges=f"{P}/graph/edges.parquet",
    output:
        receipt=f"{P}/receipts/load_graph.json",
    log:
        f"{P}/logs/load_graph.log",
    benchmark:
        f"{P}/benchmarks/load_graph.tsv"
    conda:
        "../../envs/servers.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(30),
        bolt=1,
    params:
        *stage("providers.load_graph"),
    message:
        "Load what differs of the ownership graph into Neo4j"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_load_graph.py"
        " --nodes {input.nodes:q} --edges {input.edges:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_features_neo4j:
    input:
        universe=ancient(f"{P}/shards/universe"),
        loaded=ancient(f"{P}/receipts/load_graph.json"),
        plan=ancient(f"{P}/plan.json"),
    output:
        features=f"{P}/features/{{shard}}.parquet",
        receipt=f"{P}/receipts/features/{{shard}}.json",
    log:
        f"{P}/logs/features/{{shard}}.log",
    benchmark:
        f"{P}/benchmarks/features/{{shard}}.tsv"
    conda:
        "../../envs/servers.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(30),
        bolt=1,
    params:
        *shard_stage("providers.features_neo4j"),
        planned("providers", "universe", "graph"),
    message:
        "Ask Neo4j about shard {wildcards.shard}"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_features_neo4j.py"
        " --universe {input.universe:q}/{wildcards.shard}.parquet --loaded {input.loaded:q} --output {output.features:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"
