"""Providers: registry, payments, exclusions and ownership in; a risk score per NPI, explained, out."""

P = f"{RESULTS}/providers"
DELTA = CONFIG.providers.delta
PREVIOUS = CONFIG.providers.previous
# A delta run has no population of its own to attribute a change of ranks to.
COMPARED = bool(PREVIOUS.run) and not DELTA.reference
# The receipts that say what a run was: those of the global stages, and of one shard.
RUN_RECEIPTS = [
    *(
        f"ingest_{table}"
        for table in ("registry", "payments", "exclusions", "ownership")
    ),
    *(
        "universe",
        "exclusions",
        "graph",
        "metrics",
        "reference",
        "merge",
        "percentiles",
        "rank",
        "explain",
    ),
    *("features/0000", "score/0000"),
]
TABLES = ("registry", "payments", "exclusions", "ownership")

if CONFIG.providers.graph.backend == "neo4j":

    include: "providers_neo4j.smk"


rule providers_demo:
    output:
        registry=f"{P}/source/registry.csv",
        payments=f"{P}/source/payments_release_1.csv.gz",
        payments_newer=f"{P}/source/payments_release_2.csv",
        exclusions=f"{P}/source/exclusions.csv",
        exclusions_newer=f"{P}/source/exclusions_supplement.csv",
        ownership=f"{P}/source/ownership.csv",
        receipt=f"{P}/receipts/demo.json",
    log:
        f"{P}/logs/demo.log",
    benchmark:
        f"{P}/benchmarks/demo.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(10),
    params:
        *stage("providers.demo"),
    message:
        "Generate the demo providers, payments, exclusions and owners"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_demo.py --output $(dirname {output.registry:q})"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_ingest_registry:
    input:
        source=source_files("providers", "registry", [f"{P}/source/registry.csv"]),
    output:
        table=f"{P}/ingested/registry.parquet",
        quarantine=f"{P}/quarantine/registry.parquet",
        receipt=f"{P}/receipts/ingest_registry.json",
    log:
        f"{P}/logs/ingest_registry.log",
    benchmark:
        f"{P}/benchmarks/ingest_registry.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(20),
    params:
        *source_params("providers.ingest", "registry"),
    message:
        "Read and validate the registry"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_ingest.py"
        " --table registry --source {input.source:q} --output {output.table:q} --quarantine {output.quarantine:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_ingest_payments:
    input:
        source=source_files(
            "providers",
            "payments",
            [
                f"{P}/source/payments_release_1.csv.gz",
                f"{P}/source/payments_release_2.csv",
            ],
        ),
    output:
        table=f"{P}/ingested/payments.parquet",
        quarantine=f"{P}/quarantine/payments.parquet",
        receipt=f"{P}/receipts/ingest_payments.json",
    log:
        f"{P}/logs/ingest_payments.log",
    benchmark:
        f"{P}/benchmarks/ingest_payments.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(20),
    params:
        *source_params("providers.ingest", "payments"),
    message:
        "Read and validate the payments"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_ingest.py"
        " --table payments --source {input.source:q} --output {output.table:q} --quarantine {output.quarantine:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_ingest_exclusions:
    input:
        source=source_files(
            "providers",
            "exclusions",
            [f"{P}/source/exclusions.csv", f"{P}/source/exclusions_supplement.csv"],
        ),
    output:
        table=f"{P}/ingested/exclusions.parquet",
        quarantine=f"{P}/quarantine/exclusions.parquet",
        receipt=f"{P}/receipts/ingest_exclusions.json",
    log:
        f"{P}/logs/ingest_exclusions.log",
    benchmark:
        f"{P}/benchmarks/ingest_exclusions.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(20),
    params:
        *source_params("providers.ingest", "exclusions"),
    message:
        "Read and validate the exclusions"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_ingest.py"
        " --table exclusions --source {input.source:q} --output {output.table:q} --quarantine {output.quarantine:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_ingest_ownership:
    input:
        source=source_files("providers", "ownership", [f"{P}/source/ownership.csv"]),
    output:
        table=f"{P}/ingested/ownership.parquet",
        quarantine=f"{P}/quarantine/ownership.parquet",
        receipt=f"{P}/receipts/ingest_ownership.json",
    log:
        f"{P}/logs/ingest_ownership.log",
    benchmark:
        f"{P}/benchmarks/ingest_ownership.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(20),
    params:
        *source_params("providers.ingest", "ownership"),
    message:
        "Read and validate the ownership"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_ingest.py"
        " --table ownership --source {input.source:q} --output {output.table:q} --quarantine {output.quarantine:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_quality:
    input:
        receipts=expand(f"{P}/receipts/ingest_{{table}}.json", table=TABLES),
    output:
        receipt=f"{P}/receipts/quality.json",
    log:
        f"{P}/logs/quality.log",
    benchmark:
        f"{P}/benchmarks/quality.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(500),
        runtime=grown(5),
    params:
        *stage("providers.quality"),
    message:
        "Stop when too many rows went to quarantine"
    shell:
        "python workflow/scripts/providers_quality.py --receipts {input.receipts:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_universe:
    input:
        quality=ancient(f"{P}/receipts/quality.json"),
        registry=f"{P}/ingested/registry.parquet",
        payments=f"{P}/ingested/payments.parquet",
        exclusions=f"{P}/ingested/exclusions.parquet",
        ownership=f"{P}/ingested/ownership.parquet",
    output:
        universe=f"{P}/universe.parquet",
        receipt=f"{P}/receipts/universe.json",
    log:
        f"{P}/logs/universe.log",
    benchmark:
        f"{P}/benchmarks/universe.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("providers.universe"),
    message:
        "List everybody who gets a row"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_universe.py"
        " --registry {input.registry:q} --payments {input.payments:q} --exclusions {input.exclusions:q}"
        " --ownership {input.ownership:q} --output {output.universe:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_exclusions:
    input:
        quality=ancient(f"{P}/receipts/quality.json"),
        exclusions=f"{P}/ingested/exclusions.parquet",
        payments=f"{P}/ingested/payments.parquet",
    output:
        facts=f"{P}/exclusion_facts.parquet",
        receipt=f"{P}/receipts/exclusions.json",
    log:
        f"{P}/logs/exclusions.log",
    benchmark:
        f"{P}/benchmarks/exclusions.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("providers.exclusions"),
    message:
        "Decide which exclusions are active, and what was paid after them"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_exclusions.py"
        " --exclusions {input.exclusions:q} --payments {input.payments:q} --output {output.facts:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_matching:
    input:
        quality=ancient(f"{P}/receipts/quality.json"),
        exclusions=f"{P}/ingested/exclusions.parquet",
        registry=f"{P}/ingested/registry.parquet",
        ownership=f"{P}/ingested/ownership.parquet",
    output:
        candidates=f"{P}/exclusion_candidates.parquet",
        receipt=f"{P}/receipts/matching.json",
    log:
        f"{P}/logs/matching.log",
    benchmark:
        f"{P}/benchmarks/matching.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("providers.matching"),
    message:
        "Match exclusions by name, birth date and state: candidates, never scored"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_matching.py"
        " --exclusions {input.exclusions:q} --registry {input.registry:q} --ownership {input.ownership:q}"
        " --output {output.candidates:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_graph:
    input:
        quality=ancient(f"{P}/receipts/quality.json"),
        ownership=f"{P}/ingested/ownership.parquet",
        exclusions=f"{P}/ingested/exclusions.parquet",
        registry=f"{P}/ingested/registry.parquet",
    output:
        nodes=f"{P}/graph/nodes.parquet",
        edges=f"{P}/graph/edges.parquet",
        receipt=f"{P}/receipts/graph.json",
    log:
        f"{P}/logs/graph.log",
    benchmark:
        f"{P}/benchmarks/graph.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("providers.graph"),
    message:
        "Build the ownership graph"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_graph.py"
        " --ownership {input.ownership:q} --exclusions {input.exclusions:q} --registry {input.registry:q}"
        " --nodes {output.nodes:q} --edges {output.edges:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_metrics:
    input:
        quality=ancient(f"{P}/receipts/quality.json"),
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
        shards=[
            f"{P}/shards/{part}/{shard}.parquet"
            for part in ("universe", "metrics", "programs")
            for shard in shards("providers")
        ],
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
        universe=ancient(f"{P}/shards/universe/{{shard}}.parquet"),
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
        *stage("providers.features"),
        planned("providers", "universe"),
        planned_whole("providers", "graph"),
    message:
        "Ask the ownership graph about shard {wildcards.shard}"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_features.py"
        " --universe {input.universe:q} --nodes {input.nodes:q} --edges {input.edges:q} --output {output.features:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_score:
    input:
        universe=ancient(f"{P}/shards/universe/{{shard}}.parquet"),
        metrics=ancient(f"{P}/shards/metrics/{{shard}}.parquet"),
        programs=ancient(f"{P}/shards/programs/{{shard}}.parquet"),
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
        *stage("providers.score"),
        planned("providers", "universe"),
        planned("providers", "metrics"),
        planned("providers", "programs"),
        planned_whole("providers", "reference"),
    message:
        "Score shard {wildcards.shard}"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_score.py"
        " --universe {input.universe:q} --metrics {input.metrics:q} --programs {input.programs:q}"
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


rule providers_explain:
    input:
        merged=f"{P}/merged.parquet",
        ranks=f"{P}/ranks.parquet",
        features=expand(f"{P}/features/{{shard}}.parquet", shard=shards("providers")),
        plan=f"{P}/plan.json",
        facts=f"{P}/exclusion_facts.parquet",
        universe=f"{P}/universe.parquet",
        previous=earlier(PREVIOUS.run, "scores.parquet"),
    output:
        scores=f"{P}/scores.parquet",
        receipt=f"{P}/receipts/explain.json",
    log:
        f"{P}/logs/explain.log",
    benchmark:
        f"{P}/benchmarks/explain.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("providers.explain"),
        *earlier_params(PREVIOUS.run, "scores.parquet", "previous"),
    message:
        "Explain every score"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_explain.py"
        " --merged {input.merged:q} --ranks {input.ranks:q} --features $(dirname {input.features[0]:q})"
        " --plan {input.plan:q} --exclusion-facts {input.facts:q} --universe {input.universe:q}"
        "  --output {output.scores:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_publish:
    input:
        scores=f"{P}/scores.parquet",
        receipts=[f"{P}/receipts/{name}.json" for name in RUN_RECEIPTS],
    output:
        receipt=f"{P}/receipts/publish.json",
    log:
        f"{P}/logs/publish.log",
    benchmark:
        f"{P}/benchmarks/publish.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("providers.publish"),
        f"path.warehouse_file={RESULTS}/warehouse.duckdb",
    message:
        "Publish the scores into the warehouse"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_publish.py"
        " --scores {input.scores:q} --receipts {input.receipts:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_publish_postgres:
    input:
        scores=f"{P}/scores.parquet",
        receipts=[f"{P}/receipts/{name}.json" for name in RUN_RECEIPTS],
    output:
        receipt=f"{P}/receipts/publish_postgres.json",
    log:
        f"{P}/logs/publish_postgres.log",
    benchmark:
        f"{P}/benchmarks/publish_postgres.tsv"
    conda:
        "../../envs/servers.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(60),
    params:
        *stage("providers.publish_postgres", "providers.publish", "publish.postgres"),
    message:
        "Publish the scores to PostgreSQL"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_publish_postgres.py"
        " --scores {input.scores:q} --receipts {input.receipts:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_backtest:
    input:
        payments=f"{P}/ingested/payments.parquet",
        registry=f"{P}/ingested/registry.parquet",
        exclusions=f"{P}/ingested/exclusions.parquet",
        ownership=f"{P}/ingested/ownership.parquet",
    output:
        backtest=f"{P}/backtest.parquet",
        receipt=f"{P}/receipts/backtest.json",
    log:
        f"{P}/logs/backtest.log",
    benchmark:
        f"{P}/benchmarks/backtest.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("providers.backtest"),
    message:
        "Score as of a past day and look at later exclusions"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_backtest.py"
        " --payments {input.payments:q} --registry {input.registry:q} --exclusions {input.exclusions:q}"
        " --ownership {input.ownership:q} --output {output.backtest:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_decompose:
    input:
        metrics=f"{P}/metrics.parquet",
        programs=f"{P}/programs.parquet",
        features=expand(f"{P}/features/{{shard}}.parquet", shard=shards("providers")),
        plan=f"{P}/plan.json",
        universe=f"{P}/universe.parquet",
        reference=f"{P}/reference.parquet",
        before=earlier(PREVIOUS.run, "scores.parquet"),
    output:
        changes=f"{P}/changes.parquet",
        groups=f"{P}/group_changes.parquet",
        receipt=f"{P}/receipts/decompose.json",
    log:
        f"{P}/logs/decompose.log",
    benchmark:
        f"{P}/benchmarks/decompose.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(20),
    params:
        *stage("providers.decompose"),
        *earlier_params(PREVIOUS.run, "scores.parquet", "before", hand_folder=True),
    message:
        "Attribute the change since the earlier run"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_decompose.py"
        " --metrics {input.metrics:q} --programs {input.programs:q} --features $(dirname {input.features[0]:q})"
        " --plan {input.plan:q} --universe {input.universe:q} --reference {input.reference:q}"
        " --changes {output.changes:q} --groups {output.groups:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_report:
    input:
        scores=f"{P}/scores.parquet",
        backtest=f"{P}/backtest.parquet",
        matches=f"{P}/exclusion_candidates.parquet",
        quarantine=expand(f"{P}/quarantine/{{table}}.parquet", table=TABLES),
        changes=[f"{P}/group_changes.parquet"] if COMPARED else [],
        receipts=[
            f"{P}/receipts/{name}.json"
            for name in ("quality", "matching", "backtest", "publish", *RUN_RECEIPTS)
        ],
    output:
        page=report(
            f"{P}/report.html",
            category="Providers",
            caption="../report/providers.rst",
        ),
        receipt=f"{P}/receipts/report.json",
    log:
        f"{P}/logs/report.log",
    benchmark:
        f"{P}/benchmarks/report.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 2
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("providers.report"),
        *([f"path.group_changes={P}/group_changes.parquet"] if COMPARED else []),
    message:
        "Write the report page"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_report.py"
        " --scores {input.scores:q} --backtest {input.backtest:q} --matches {input.matches:q}"
        " --quarantine {input.quarantine:q} --receipts {input.receipts:q} --output {output.page:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"
