"""Providers: registry, payments, exclusions and ownership in; a risk score per NPI, explained, out."""

P = f"{RESULTS}/providers"
TABLES = ("registry", "payments", "exclusions", "ownership")


rule providers_demo:
    output:
        registry=f"{P}/source/registry.csv",
        payments=f"{P}/source/payments_release_1.csv.gz",
        payments_newer=f"{P}/source/payments_release_2.csv",
        exclusions=f"{P}/source/exclusions.csv",
        exclusions_newer=f"{P}/source/exclusions_supplement.csv",
        ownership=f"{P}/source/ownership.csv",
        receipt=f"{P}/receipts/demo.json",
    params:
        *stage("providers.demo"),
    log:
        f"{P}/logs/demo.log",
    benchmark:
        f"{P}/benchmarks/demo.tsv"
    resources:
        mem_mb=2000,
        runtime=10,
    message:
        "Generate the demo providers, payments, exclusions and owners"
    shell:
        "POLARS_MAX_THREADS={threads} python {PROGRAMS}/providers_demo.py --output {P}/source"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule providers_ingest_registry:
    input:
        source_files("providers", "registry", [f"{P}/source/registry.csv"]),
    output:
        table=f"{P}/ingested/registry.parquet",
        quarantine=f"{P}/quarantine/registry.parquet",
        receipt=f"{P}/receipts/ingest_registry.json",
    params:
        *source_params("providers.ingest", "registry"),
    log:
        f"{P}/logs/ingest_registry.log",
    benchmark:
        f"{P}/benchmarks/ingest_registry.tsv"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=20,
    message:
        "Read and validate the registry"
    shell:
        "POLARS_MAX_THREADS={threads} python {PROGRAMS}/providers_ingest.py --table registry --source {input:q}"
        " --output {output.table:q} --quarantine {output.quarantine:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"
