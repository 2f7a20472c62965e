"""Providers, what people get: explained scores, changes since an earlier run, backtest, warehouse, report."""


rule providers_explain:
    input:
        merged=f"{P}/merged.parquet",
        ranks=f"{P}/ranks.parquet",
        features=expand(f"{P}/features/{{shard}}.parquet", shard=shards("providers")),
        plan=f"{P}/plan.json",
        facts=f"{P}/exclusion_facts.parquet",
        universe=f"{P}/universe.parquet",
        # No score is shown of sources that broke more rules than the config allows.
        quality=f"{P}/receipts/quality.json",
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
        warehouse,
    message:
        "Publish the scores into the warehouse"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_publish.py"
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
