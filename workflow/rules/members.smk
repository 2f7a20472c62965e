"""Members: enrolment, diagnoses and drugs in; HHS-HCC scores, their change explained, and transfers out."""


include: "members_common.smk"


rule members_demo:
    output:
        spans=f"{M}/current/source/spans.parquet",
        diagnoses=f"{M}/current/source/diagnoses.parquet",
        drugs=f"{M}/current/source/drugs.parquet",
        receipt=f"{M}/receipts/demo_current.json",
    log:
        f"{M}/logs/demo_current.log",
    benchmark:
        f"{M}/benchmarks/demo_current.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(10),
    params:
        *members_stage("demo", "current"),
        year_of("current"),
    message:
        "Generate the demo members of this year"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_demo.py"
        " --spans {output.spans:q} --diagnoses {output.diagnoses:q} --drugs {output.drugs:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_ingest:
    input:
        spans=member_source("current", "spans"),
        diagnoses=member_source("current", "diagnoses"),
        drugs=member_source("current", "drugs"),
    output:
        spans=f"{M}/current/spans.parquet",
        diagnoses=f"{M}/current/diagnoses.parquet",
        drugs=f"{M}/current/drugs.parquet",
        quarantine=f"{M}/quarantine/current.parquet",
        receipt=f"{M}/receipts/ingest_current.json",
    log:
        f"{M}/logs/ingest_current.log",
    benchmark:
        f"{M}/benchmarks/ingest_current.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1 if HAS_PRIOR else 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(20),
    params:
        *members_stage("ingest", "current"),
        *member_source_digests("current"),
        *model_variants("current"),
        year_of("current"),
    message:
        "Read and validate this year's members"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_ingest.py"
        " --spans-source {input.spans:q} --diagnoses-source {input.diagnoses:q} --drugs-source {input.drugs:q}"
        " --spans {output.spans:q} --diagnoses {output.diagnoses:q} --drugs {output.drugs:q}"
        " --quarantine {output.quarantine:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_quality:
    input:
        receipts=expand(f"{M}/receipts/ingest_{{data_set}}.json", data_set=DATA_SETS),
    output:
        receipt=f"{M}/receipts/quality.json",
    log:
        f"{M}/logs/quality.log",
    benchmark:
        f"{M}/benchmarks/quality.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(500),
        runtime=grown(5),
    params:
        *stage("members.quality"),
    message:
        "Stop when too many rows went to quarantine"
    shell:
        "python workflow/scripts/members_quality.py --receipts {input.receipts:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_record:
    input:
        quality=f"{M}/receipts/quality.json",
        spans=f"{M}/current/spans.parquet",
        diagnoses=f"{M}/current/diagnoses.parquet",
        drugs=f"{M}/current/drugs.parquet",
    output:
        run=f"{M}/current/run.parquet",
        receipt=f"{M}/receipts/record_current.json",
    log:
        f"{M}/logs/record_current.log",
    benchmark:
        f"{M}/benchmarks/record_current.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(10),
    params:
        *stage("members.record"),
        *run_code("score"),
        *ELIGIBLE,
        *model_tables("current"),
        warehouse,
    message:
        "Record that the run over this year's members has started"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_record.py"
        " --spans {input.spans:q} --diagnoses {input.diagnoses:q} --drugs {input.drugs:q}"
        " --program workflow/scripts/members_score.py --output {output.run:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_shard:
    input:
        quality=f"{M}/receipts/quality.json",
        spans=expand(f"{M}/{{data_set}}/spans.parquet", data_set=DATA_SETS),
        diagnoses=expand(f"{M}/{{data_set}}/diagnoses.parquet", data_set=DATA_SETS),
        drugs=expand(f"{M}/{{data_set}}/drugs.parquet", data_set=DATA_SETS),
    output:
        shards=[
            f"{M}/shards/{data_set}/{table}/{shard}.parquet"
            for data_set in DATA_SETS
            for table in MEMBER_TABLES
            for shard in shards("members")
        ],
        manifest=f"{M}/shards/manifest.json",
        receipt=f"{M}/receipts/shard.json",
    log:
        f"{M}/logs/shard.log",
    benchmark:
        f"{M}/benchmarks/shard.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("members.shard"),
    message:
        "Cut the members into shards"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_shard.py"
        " --spans {input.spans:q} --diagnoses {input.diagnoses:q} --drugs {input.drugs:q}"
        " --folder $(dirname {output.manifest:q}) --manifest {output.manifest:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


# The plan waits for the started rows too: what is behind an `ancient` input is looked at afresh after a checkpoint,
# and only then, so whatever an `ancient` input comes from must lie before the plan, and the merges, and with them
# the publisher, wait for the plan.
checkpoint members_plan:
    input:
        manifest=f"{M}/shards/manifest.json",
        runs=[f"{M}/{data_set}/run.parquet" for data_set in DATA_SETS],
    output:
        plan=f"{M}/plan.json",
        receipt=f"{M}/receipts/plan.json",
    log:
        f"{M}/logs/plan.log",
    benchmark:
        f"{M}/benchmarks/plan.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(500),
        runtime=grown(5),
    params:
        *stage("members.plan"),
    message:
        "Plan which shards are new"
    shell:
        "python workflow/scripts/plan.py --manifest {input.manifest:q} --receipts --output {output.plan:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_score:
    input:
        spans=ancient(f"{M}/shards/current/spans/{{shard}}.parquet"),
        diagnoses=ancient(f"{M}/shards/current/diagnoses/{{shard}}.parquet"),
        drugs=ancient(f"{M}/shards/current/drugs/{{shard}}.parquet"),
        plan=ancient(f"{M}/plan.json"),
    output:
        scores=f"{M}/scored/current/{{shard}}.parquet",
        rejected=f"{M}/unused/current/{{shard}}.parquet",
        receipt=f"{M}/receipts/score_current/{{shard}}.json",
    log:
        f"{M}/logs/score_current/{{shard}}.log",
    benchmark:
        f"{M}/benchmarks/score_current/{{shard}}.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(10),
    params:
        *members_stage("score", "current"),
        *ELIGIBLE_DIGEST,
        *model_tables("current"),
        planned("members", "current_spans"),
        planned("members", "current_diagnoses"),
        planned("members", "current_drugs"),
    message:
        "Score shard {wildcards.shard} of this year's members"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_score.py"
        " --spans {input.spans:q} --diagnoses {input.diagnoses:q} --drugs {input.drugs:q}"
        " --output {output.scores:q} --rejected {output.rejected:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_merge:
    input:
        scores=expand(f"{M}/scored/current/{{shard}}.parquet", shard=shards("members")),
        rejected=expand(
            f"{M}/unused/current/{{shard}}.parquet", shard=shards("members")
        ),
        plan=f"{M}/plan.json",
    output:
        scores=f"{M}/scores.parquet",
        rejected=f"{M}/rejected.parquet",
        receipt=f"{M}/receipts/merge_current.json",
    log:
        f"{M}/logs/merge_current.log",
    benchmark:
        f"{M}/benchmarks/merge_current.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 1 if HAS_PRIOR else 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("members.merge"),
        "path.data_set=current",
    message:
        "Merge the shards of this year's members: exactly those planned, every span once"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_merge.py"
        " --scored $(dirname {input.scores[0]:q}) --unused $(dirname {input.rejected[0]:q}) --plan {input.plan:q}"
        " --output {output.scores:q} --rejected {output.rejected:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


include: "members_results.smk"


if HAS_PRIOR:

    include: "members_prior.smk"
