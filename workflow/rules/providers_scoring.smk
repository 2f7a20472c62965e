"""Providers, from yearly metrics to scores per shard, merged and ranked; statistics are global, never per shard."""


rule providers_metrics:
    input:
        payments=f"{P}/ingested/payments.parquet",
        registry=f"{P}/ingested/registry.parquet",
    output:
        metrics=f"{P}/metrics.parquet",
        programs=f"{P}/programs.parquet",
        receipt=f"{P}/receipts/metrics.json",
    log:
        f"{P}/logs/metrics.log",
    benchmark:
        f"{P}/benchmarks/metrics.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("providers.metrics"),
    message:
        "Total the payments per provider and year"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_metrics.py"
        " --payments {input.payments:q} --registry {input.registry:q}"
        " --metrics {output.metrics:q} --programs {output.programs:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_reference:
    input:
        metrics=f"{P}/metrics.parquet",
        stored=earlier(DELTA.reference, "reference.parquet"),
    output:
        reference=f"{P}/reference.parquet",
        receipt=f"{P}/receipts/reference.json",
    log:
        f"{P}/logs/reference.log",
    benchmark:
        f"{P}/benchmarks/reference.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("providers.reference"),
        *earlier_params(DELTA.reference, "reference.parquet", "stored"),
    message:
        "Compute the peer statistics, once and for everybody"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_reference.py"
        " --metrics {input.metrics:q} --output {output.reference:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_shard:
    input:
        universe=f"{P}/universe.parquet",
        metrics=f"{P}/metrics.parquet",
        programs=f"{P}/programs.parquet",
    output:
        # Folders: thousands of static files would make Snakemake look through all of them for every job.
        universe=directory(f"{P}/shards/universe"),
        metrics=directory(f"{P}/shards/metrics"),
        programs=directory(f"{P}/shards/programs"),
        manifest=f"{P}/shards/manifest.json",
        receipt=f"{P}/receipts/shard.json",
    log:
        f"{P}/logs/shard.log",
    benchmark:
        f"{P}/benchmarks/shard.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("providers.shard"),
    message:
        "Cut the population into shards"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_shard.py"
        " --universe {input.universe:q} --metrics {input.metrics:q} --programs {input.programs:q}"
        " --folder $(dirname {output.manifest:q}) --manifest {output.manifest:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_features:
    input:
        universe=ancient(f"{P}/shards/universe"),
        nodes=ancient(f"{P}/graph/nodes.parquet"),
        edges=ancient(f"{P}/graph/edges.parquet"),
        plan=ancient(f"{P}/plan.json"),
    output:
        features=f"{P}/features/{{shard}}.parquet",
        receipt=f"{P}/receipts/features/{{shard}}.json",
    log:
        f"{P}/logs/features/{{shard}}.log",
    benchmark:
        f"{P}/benchmarks/features/{{shard}}.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(10),
    params:
        *shard_stage("providers.features"),
        planned("providers", "universe", "graph"),
    message:
        "Ask the ownership graph about shard {wildcards.shard}"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_features.py"
        " --universe {input.universe:q}/{wildcards.shard}.parquet --nodes {input.nodes:q} --edges {input.edges:q} --output {output.features:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_score:
    input:
        universe=ancient(f"{P}/shards/universe"),
        metrics=ancient(f"{P}/shards/metrics"),
        programs=ancient(f"{P}/shards/programs"),
        features=f"{P}/features/{{shard}}.parquet",
        reference=ancient(f"{P}/reference.parquet"),
        plan=ancient(f"{P}/plan.json"),
    output:
        scores=f"{P}/scored/{{shard}}.parquet",
        receipt=f"{P}/receipts/score/{{shard}}.json",
    log:
        f"{P}/logs/score/{{shard}}.log",
    benchmark:
        f"{P}/benchmarks/score/{{shard}}.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(10),
    params:
        *shard_stage("providers.score"),
        planned("providers", "universe", "metrics", "programs", "reference"),
    message:
        "Score shard {wildcards.shard}"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_score.py"
        " --universe {input.universe:q}/{wildcards.shard}.parquet --metrics {input.metrics:q}/{wildcards.shard}.parquet"
        " --programs {input.programs:q}/{wildcards.shard}.parquet"
        " --features {input.features:q} --reference {input.reference:q} --output {output.scores:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_merge:
    input:
        scores=expand(f"{P}/scored/{{shard}}.parquet", shard=shards("providers")),
        plan=f"{P}/plan.json",
    output:
        merged=f"{P}/merged.parquet",
        receipt=f"{P}/receipts/merge.json",
    log:
        f"{P}/logs/merge.log",
    benchmark:
        f"{P}/benchmarks/merge.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("providers.merge"),
    message:
        "Merge the shards: exactly those planned, every NPI once"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_merge.py"
        " --folder $(dirname {input.scores[0]:q}) --plan {input.plan:q} --output {output.merged:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


checkpoint providers_plan:
    input:
        manifest=f"{P}/shards/manifest.json",
        receipts=[f"{P}/receipts/graph.json", f"{P}/receipts/reference.json"],
        # Whatever an ancient input comes from lies before this checkpoint, so that no change hides another:
        # Snakemake looks at everything behind it afresh when it is done.
        loaded=(
            f"{P}/receipts/load_graph.json"
            if CONFIG.providers.graph.backend == "neo4j"
            else []
        ),
    output:
        plan=f"{P}/plan.json",
        receipt=f"{P}/receipts/plan.json",
    log:
        f"{P}/logs/plan.log",
    benchmark:
        f"{P}/benchmarks/plan.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(500),
        runtime=grown(5),
    params:
        *stage("providers.plan"),
    message:
        "Plan which shards are new"
    shell:
        "python workflow/scripts/plan.py --manifest {input.manifest:q} --receipts {input.receipts:q}"
        " --output {output.plan:q} --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_percentiles:
    input:
        metrics=f"{P}/metrics.parquet",
        reference=f"{P}/reference.parquet",
        population=earlier(DELTA.reference, "metrics.parquet"),
    output:
        percentiles=f"{P}/percentiles.parquet",
        receipt=f"{P}/receipts/percentiles.json",
    log:
        f"{P}/logs/percentiles.log",
    benchmark:
        f"{P}/benchmarks/percentiles.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("providers.percentiles"),
        *earlier_params(DELTA.reference, "metrics.parquet", "population"),
    message:
        "Rank payments per claim among peers"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_percentiles.py"
        " --metrics {input.metrics:q} --reference {input.reference:q} --output {output.percentiles:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_rank:
    input:
        merged=f"{P}/merged.parquet",
        percentiles=f"{P}/percentiles.parquet",
        stored=earlier(DELTA.reference, "distribution.parquet"),
    output:
        ranks=f"{P}/ranks.parquet",
        distribution=f"{P}/distribution.parquet",
        receipt=f"{P}/receipts/rank.json",
    log:
        f"{P}/logs/rank.log",
    benchmark:
        f"{P}/benchmarks/rank.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("providers.rank"),
        *earlier_params(DELTA.reference, "distribution.parquet", "stored"),
    message:
        "Rank everybody"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_rank.py"
        " --merged {input.merged:q} --percentiles {input.percentiles:q}"
        " --output {output.ranks:q} --distribution {output.distribution:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"
