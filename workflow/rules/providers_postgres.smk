"""Providers: the raw tables from a PostgreSQL server, where `providers.source.kind` is postgres."""


rule providers_export:
    output:
        # `update`: the files of the export before are what changed rows are laid over
        registry=update(RAW["registry"][0]),
        payments=update(RAW["payments"][0]),
        exclusions=update(RAW["exclusions"][0]),
        ownership=update(RAW["ownership"][0]),
        watermarks=update(f"{P}/source/watermarks.json"),
        receipt=f"{P}/receipts/export.json",
    log:
        f"{P}/logs/export.log",
    benchmark:
        f"{P}/benchmarks/export.tsv"
    conda:
        "../../envs/servers.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(60),
    params:
        *stage("providers.export"),
        *database_state("providers", TABLES),
    message:
        "Export the raw tables from PostgreSQL, all of one snapshot"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_export.py"
        " --registry {output.registry:q} --payments {output.payments:q} --exclusions {output.exclusions:q}"
        " --ownership {output.ownership:q} --watermarks {output.watermarks:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"
