"""Members, last year's: the same stages as this year's, where there are members of last year."""


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
        *model_variants("prior"),
        year_of("prior"),
    message:
        "Read and validate last year's members"


use rule members_record as members_record_prior with:
    input:
        quality=f"{M}/receipts/quality.json",
        spans=f"{M}/prior/spans.parquet",
        diagnoses=f"{M}/prior/diagnoses.parquet",
        drugs=f"{M}/prior/drugs.parquet",
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
        *model_tables("prior"),
        warehouse,
    message:
        "Record that the run over last year's members has started"


use rule members_score as members_score_prior with:
    input:
        spans=ancient(f"{M}/shards/prior/spans/{{shard}}.parquet"),
        diagnoses=ancient(f"{M}/shards/prior/diagnoses/{{shard}}.parquet"),
        drugs=ancient(f"{M}/shards/prior/drugs/{{shard}}.parquet"),
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
        *model_tables("prior"),
        planned("members", "prior_spans"),
        planned("members", "prior_diagnoses"),
        planned("members", "prior_drugs"),
    message:
        "Score shard {wildcards.shard} of last year's members"


use rule members_merge as members_merge_prior with:
    input:
        scores=expand(f"{M}/scored/prior/{{shard}}.parquet", shard=shards("members")),
        rejected=expand(f"{M}/unused/prior/{{shard}}.parquet", shard=shards("members")),
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
