"""Providers, from raw tables to a validated universe, exclusion facts and an ownership graph."""


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
        source=source_files("providers", "registry", RAW["registry"]),
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
        source=source_files("providers", "payments", RAW["payments"]),
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
        source=source_files("providers", "exclusions", RAW["exclusions"]),
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
        source=source_files("providers", "ownership", RAW["ownership"]),
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
