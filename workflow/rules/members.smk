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
        tables=model_tables("current"),
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
        tables_digest(*model_tables("current")),
        MEMBER_WAREHOUSE,
    message:
        "Record that the run over this year's members has started"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_record.py"
        " --spans {input.spans:q} --diagnoses {input.diagnoses:q} --drugs {input.drugs:q}"
        " --tables {input.tables:q} --program workflow/scripts/members_score.py --output {output.run:q}"
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
        tables=model_tables("current"),
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
        tables_digest(*model_tables("current")),
        planned("members", "current_spans"),
        planned("members", "current_diagnoses"),
        planned("members", "current_drugs"),
    message:
        "Score shard {wildcards.shard} of this year's members"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_score.py"
        " --spans {input.spans:q} --diagnoses {input.diagnoses:q} --drugs {input.drugs:q}"
        " --tables {input.tables:q} --output {output.scores:q} --rejected {output.rejected:q}"
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


rule members_transfer:
    input:
        spans=f"{M}/current/spans.parquet",
        scores=f"{M}/scores.parquet",
    output:
        plans=f"{M}/transfers.parquet",
        pools=f"{M}/transfer_pools.parquet",
        receipt=f"{M}/receipts/transfer.json",
    log:
        f"{M}/logs/transfer.log",
    benchmark:
        f"{M}/benchmarks/transfer.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("members.transfer"),
        *user_file(
            "cost_factors",
            MEMBERS.transfers.cost_factors,
            "members.transfers.cost_factors",
        ),
    message:
        "Compute the state transfers, balanced to zero"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_transfer.py"
        " --spans {input.spans:q} --scores {input.scores:q} --plans {output.plans:q} --pools {output.pools:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_compare:
    input:
        run_a=ancient(f"{M}/prior/run.parquet"),
        scores_a=f"{M}/prior/scores.parquet",
        run_b=ancient(f"{M}/current/run.parquet"),
        scores_b=f"{M}/scores.parquet",
    output:
        members=COMPARISON_FILES[0],
        summary=COMPARISON_FILES[1],
        bins=COMPARISON_FILES[2],
        moved=COMPARISON_FILES[3],
        run=f"{M}/comparison/run.parquet",
        receipt=f"{M}/receipts/compare.json",
    log:
        f"{M}/logs/compare.log",
    benchmark:
        f"{M}/benchmarks/compare.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *stage("members.compare"),
    message:
        "Compare last year's run with this year's"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_compare.py"
        " --run-a {input.run_a:q} --scores-a {input.scores_a:q} --run-b {input.run_b:q} --scores-b {input.scores_b:q}"
        " --program workflow/scripts/members_compare.py --output {output.members:q} --summary {output.summary:q}"
        " --bins {output.bins:q} --moved {output.moved:q} --run-output {output.run:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_decompose:
    input:
        spans=expand(f"{M}/{{data_set}}/spans.parquet", data_set=DATA_SETS),
        diagnoses=expand(f"{M}/{{data_set}}/diagnoses.parquet", data_set=DATA_SETS),
        drugs=expand(f"{M}/{{data_set}}/drugs.parquet", data_set=DATA_SETS),
        runs=[ancient(f"{M}/{data_set}/run.parquet") for data_set in DATA_SETS],
        scores=[f"{M}/scores.parquet", f"{M}/prior/scores.parquet"],
        tables=[ancient(path) for path in ALL_SETS],
    output:
        effects=DECOMPOSITION_FILES[0],
        definitions=DECOMPOSITION_FILES[1],
        scenarios=DECOMPOSITION_FILES[2],
        run=f"{M}/decomposition/run.parquet",
        receipt=f"{M}/receipts/decompose.json",
    log:
        f"{M}/logs/decompose.log",
    benchmark:
        f"{M}/benchmarks/decompose.tsv"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(60),
    params:
        *stage("members.decompose"),
        *ELIGIBLE,
        tables_digest(*ALL_SETS),
        *user_file(
            "definitions",
            MEMBERS.decomposition.definitions,
            "members.decomposition.definitions",
        ),
    message:
        "Decompose the change of scores"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_decompose.py"
        " --spans {input.spans:q} --diagnoses {input.diagnoses:q} --drugs {input.drugs:q}"
        " --runs {input.runs:q} --scores {input.scores:q} --tables {input.tables[0]:q}"
        " --program workflow/scripts/members_decompose.py --output {output.effects:q}"
        " --definitions-output {output.definitions:q} --scenarios-output {output.scenarios:q} --run-output {output.run:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_publish:
    input:
        current=f"{M}/current/run.parquet",
        current_tables=[
            f"{M}/scores.parquet",
            f"{M}/rejected.parquet",
            f"{M}/current/spans.parquet",
            *(TRANSFER_FILES if TRANSFERRED else []),
        ],
        runs=[
            *(
                [f"{M}/prior/run.parquet", f"{M}/comparison/run.parquet"]
                if HAS_PRIOR
                else []
            ),
            *([f"{M}/decomposition/run.parquet"] if DECOMPOSED else []),
        ],
        prior_tables=(
            [f"{M}/prior/{name}.parquet" for name in ("scores", "rejected", "spans")]
            if HAS_PRIOR
            else []
        ),
        comparison_tables=COMPARISON_FILES[:1] if HAS_PRIOR else [],
        decomposition_tables=DECOMPOSITION_FILES if DECOMPOSED else [],
    output:
        receipt=f"{M}/receipts/publish.json",
    log:
        f"{M}/logs/publish.log",
    benchmark:
        f"{M}/benchmarks/publish.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("members.publish"),
        *published("prior"),
        *published("comparison"),
        *published("decomposition"),
        MEMBER_WAREHOUSE,
    message:
        "Publish the members track into the warehouse"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_publish.py"
        " --current {input.current:q} --current-tables {input.current_tables:q} --prior-tables {input.prior_tables:q}"
        " --comparison-tables {input.comparison_tables:q} --decomposition-tables {input.decomposition_tables:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_report:
    input:
        scores=f"{M}/scores.parquet",
        rejected=f"{M}/rejected.parquet",
        tables=model_tables("current"),
        transfers=TRANSFER_FILES if TRANSFERRED else [],
        comparison=COMPARISON_FILES[1:] if HAS_PRIOR else [],
        decomposition=DECOMPOSITION_FILES if DECOMPOSED else [],
        quarantine=expand(f"{M}/quarantine/{{data_set}}.parquet", data_set=DATA_SETS),
        receipts=[f"{M}/receipts/{name}.json" for name in MEMBER_RECEIPTS],
    output:
        page=report(
            f"{M}/report.html", category="Members", caption="../report/members.rst"
        ),
        receipt=f"{M}/receipts/report.json",
    log:
        f"{M}/logs/report.log",
    benchmark:
        f"{M}/benchmarks/report.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("members.report"),
        tables_digest(*model_tables("current")),
    message:
        "Write the report page"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_report.py"
        " --scores {input.scores:q} --rejected {input.rejected:q} --tables {input.tables:q} --transfers {input.transfers:q}"
        " --comparison {input.comparison:q} --decomposition {input.decomposition:q} --quarantine {input.quarantine:q}"
        " --receipts {input.receipts:q} --output {output.page:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


# The same for last year's members.
if HAS_PRIOR:

    use rule members_demo as members_demo_prior with:
        output:
            spans=f"{M}/prior/source/spans.parquet",
            diagnoses=f"{M}/prior/source/diagnoses.parquet",
            drugs=f"{M}/prior/source/drugs.parquet",
            receipt=f"{M}/receipts/demo_prior.json",
        log:
            f"{M}/logs/demo_prior.log",
        benchmark:
            f"{M}/benchmarks/demo_prior.tsv"
        params:
            *members_stage("demo", "prior"),
            year_of("prior"),
        message:
            "Generate the demo members of last year"

    use rule members_ingest as members_ingest_prior with:
        input:
            spans=member_source("prior", "spans"),
            diagnoses=member_source("prior", "diagnoses"),
            drugs=member_source("prior", "drugs"),
        output:
            spans=f"{M}/prior/spans.parquet",
            diagnoses=f"{M}/prior/diagnoses.parquet",
            drugs=f"{M}/prior/drugs.parquet",
            quarantine=f"{M}/quarantine/prior.parquet",
            receipt=f"{M}/receipts/ingest_prior.json",
        log:
            f"{M}/logs/ingest_prior.log",
        benchmark:
            f"{M}/benchmarks/ingest_prior.tsv"
        params:
            *members_stage("ingest", "prior"),
            *member_source_digests("prior"),
            year_of("prior"),
        message:
            "Read and validate last year's members"

    use rule members_record as members_record_prior with:
        input:
            quality=f"{M}/receipts/quality.json",
            spans=f"{M}/prior/spans.parquet",
            diagnoses=f"{M}/prior/diagnoses.parquet",
            drugs=f"{M}/prior/drugs.parquet",
            tables=model_tables("prior"),
        output:
            run=f"{M}/prior/run.parquet",
            receipt=f"{M}/receipts/record_prior.json",
        log:
            f"{M}/logs/record_prior.log",
        benchmark:
            f"{M}/benchmarks/record_prior.tsv"
        params:
            *stage("members.record"),
            *run_code("score"),
            *ELIGIBLE,
            tables_digest(*model_tables("prior")),
            MEMBER_WAREHOUSE,
        message:
            "Record that the run over last year's members has started"

    use rule members_score as members_score_prior with:
        input:
            spans=ancient(f"{M}/shards/prior/spans/{{shard}}.parquet"),
            diagnoses=ancient(f"{M}/shards/prior/diagnoses/{{shard}}.parquet"),
            drugs=ancient(f"{M}/shards/prior/drugs/{{shard}}.parquet"),
            tables=model_tables("prior"),
            plan=ancient(f"{M}/plan.json"),
        output:
            scores=f"{M}/scored/prior/{{shard}}.parquet",
            rejected=f"{M}/unused/prior/{{shard}}.parquet",
            receipt=f"{M}/receipts/score_prior/{{shard}}.json",
        log:
            f"{M}/logs/score_prior/{{shard}}.log",
        benchmark:
            f"{M}/benchmarks/score_prior/{{shard}}.tsv"
        params:
            *members_stage("score", "prior"),
            *ELIGIBLE_DIGEST,
            tables_digest(*model_tables("prior")),
            planned("members", "prior_spans"),
            planned("members", "prior_diagnoses"),
            planned("members", "prior_drugs"),
        message:
            "Score shard {wildcards.shard} of last year's members"

    use rule members_merge as members_merge_prior with:
        input:
            scores=expand(
                f"{M}/scored/prior/{{shard}}.parquet", shard=shards("members")
            ),
            rejected=expand(
                f"{M}/unused/prior/{{shard}}.parquet", shard=shards("members")
            ),
            plan=f"{M}/plan.json",
        output:
            scores=f"{M}/prior/scores.parquet",
            rejected=f"{M}/prior/rejected.parquet",
            receipt=f"{M}/receipts/merge_prior.json",
        log:
            f"{M}/logs/merge_prior.log",
        benchmark:
            f"{M}/benchmarks/merge_prior.tsv"
        params:
            *stage("members.merge"),
            "path.data_set=prior",
        message:
            "Merge the shards of last year's members: exactly those planned, every span once"
