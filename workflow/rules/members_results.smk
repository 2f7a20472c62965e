"""Members, what people get: transfers, comparison, decomposition, warehouse, report."""


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


rule members_earlier:
    output:
        run=f"{M}/earlier/run.parquet",
        scores=f"{M}/earlier/scores.parquet",
        receipt=f"{M}/receipts/earlier.json",
    log:
        f"{M}/logs/earlier.log",
    benchmark:
        f"{M}/benchmarks/earlier.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("members.earlier"),
        f"path.wanted={AGAINST}",
        warehouse,
    message:
        "Take an earlier run from the warehouse"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_earlier.py"
        " --output {output.scores:q} --run-output {output.run:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_compare:
    input:
        run_a=against("run"),
        scores_a=against("scores"),
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
        *against_digests(),
    message:
        "Compare last year's run, or an earlier one, with this year's"
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
        scores=[f"{M}/scores.parquet", f"{M}/prior/scores.parquet"][: len(DATA_SETS)],
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
        *all_sets(),
        *user_file(
            "definitions",
            MEMBERS.decomposition.definitions,
            "members.decomposition.definitions",
        ),
        warehouse,
    message:
        "Decompose the change of scores"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_decompose.py"
        " --spans {input.spans:q} --diagnoses {input.diagnoses:q} --drugs {input.drugs:q}"
        " --runs {input.runs:q} --scores {input.scores:q}"
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
        prior=other_run("prior"),
        comparison=other_run("comparison"),
        decomposition=other_run("decomposition"),
        prior_tables=(
            [f"{M}/prior/{name}.parquet" for name in ("scores", "rejected", "spans")]
            if HAS_PRIOR
            else []
        ),
        comparison_tables=COMPARISON_FILES[:1] if COMPARED else [],
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
        warehouse,
    message:
        "Publish the members track into the warehouse"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_publish.py"
        " --current {input.current:q} --current-tables {input.current_tables:q} --prior-tables {input.prior_tables:q}"
        " --comparison-tables {input.comparison_tables:q} --decomposition-tables {input.decomposition_tables:q}"
        f"{GIVEN_RUNS}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule members_report:
    input:
        scores=f"{M}/scores.parquet",
        rejected=f"{M}/rejected.parquet",
        transfers=TRANSFER_FILES if TRANSFERRED else [],
        comparison=COMPARISON_FILES[1:] if COMPARED else [],
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
        *model_tables("current"),
    message:
        "Write the report page"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/members_report.py"
        " --scores {input.scores:q} --rejected {input.rejected:q} --transfers {input.transfers:q}"
        " --comparison {input.comparison:q} --decomposition {input.decomposition:q} --quarantine {input.quarantine:q}"
        " --receipts {input.receipts:q} --output {output.page:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


# The same for last year's members.
