"""What every track publishes to PostgreSQL, where `publish.postgres.enabled` is true."""

if "providers" in CONFIG.tracks:

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
            *stage(
                "providers.publish_postgres", "providers.publish", "publish.postgres"
            ),
        message:
            "Publish the scores to PostgreSQL"
        shell:
            "POLARS_MAX_THREADS={threads} python workflow/scripts/providers_publish_postgres.py"
            " --scores {input.scores:q} --receipts {input.receipts:q}"
            " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


if "members" in CONFIG.tracks:

    rule members_publish_postgres:
        input:
            current=rules.members_publish.input.current,
            current_tables=rules.members_publish.input.current_tables,
            prior=rules.members_publish.input.prior,
            comparison=rules.members_publish.input.comparison,
            decomposition=rules.members_publish.input.decomposition,
            prior_tables=rules.members_publish.input.prior_tables,
            comparison_tables=rules.members_publish.input.comparison_tables,
            decomposition_tables=rules.members_publish.input.decomposition_tables,
            receipts=[
                f"{M}/receipts/{name}.json"
                for name in MEMBER_RECEIPTS
                if name != "publish"
            ],
        output:
            receipt=f"{M}/receipts/publish_postgres.json",
        log:
            f"{M}/logs/publish_postgres.log",
        benchmark:
            f"{M}/benchmarks/publish_postgres.tsv"
        conda:
            "../../envs/servers.yaml"
        resources:
            mem_mb=grown(3000),
            runtime=grown(60),
        params:
            *stage("members.publish_postgres", "members.publish", "publish.postgres"),
        message:
            "Publish the members track to PostgreSQL"
        shell:
            "POLARS_MAX_THREADS={threads} python workflow/scripts/members_publish_postgres.py"
            " --current {input.current:q} --current-tables {input.current_tables:q} --prior-tables {input.prior_tables:q}"
            " --comparison-tables {input.comparison_tables:q} --decomposition-tables {input.decomposition_tables:q}"
            f"{GIVEN_RUNS}"
            " --receipts {input.receipts:q}"
            " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


if "notes" in CONFIG.tracks:

    rule notes_publish_postgres:
        input:
            patients=rules.notes_publish.output.patients,
            encounters=rules.notes_publish.output.encounters,
            observations=rules.notes_publish.output.observations,
            audit=rules.notes_publish.output.audit,
            quarantine=rules.notes_publish.output.quarantine,
            findings=rules.notes_publish.input.findings,
            gate=rules.notes_publish.input.gate,
            published=rules.notes_publish.output.receipt,
            receipts=[
                f"{N}/receipts/{name}.json"
                for name in (*NOTES_RECEIPTS, "redact/0000")
            ],
        output:
            receipt=f"{N}/receipts/publish_postgres.json",
        log:
            f"{N}/logs/publish_postgres.log",
        benchmark:
            f"{N}/benchmarks/publish_postgres.tsv"
        conda:
            "../../envs/servers.yaml"
        resources:
            mem_mb=grown(3000),
            runtime=grown(60),
        params:
            *stage("notes.publish_postgres", "publish.postgres"),
        message:
            "Publish what passed the leak gate to PostgreSQL"
        shell:
            "POLARS_MAX_THREADS={threads} python workflow/scripts/notes_publish_postgres.py"
            " --patients {input.patients:q} --encounters {input.encounters:q} --observations {input.observations:q}"
            " --audit {input.audit:q} --quarantine {input.quarantine:q} --findings {input.findings:q} --gate {input.gate:q}"
            " --published {input.published:q} --receipts {input.receipts:q}"
            " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"
