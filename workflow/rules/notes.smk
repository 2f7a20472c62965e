"""Notes: clinical records in, redacted and de-identified tables out, fail closed."""


include: "notes_common.smk"


rule notes_demo:
    output:
        records=f"{SENSITIVE}/source/records.json",
        labels=f"{SENSITIVE}/source/labels.jsonl",
        key=DEMO_KEY_FILE,
        receipt=f"{N}/receipts/demo.json",
    log:
        f"{N}/logs/demo.log",
    benchmark:
        f"{N}/benchmarks/demo.tsv"
    conda:
        "../../envs/notes.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(10),
    params:
        *stage("notes.demo"),
    message:
        "Generate demo patients and their notes"
    shell:
        "umask 077 && POLARS_MAX_THREADS={threads} python workflow/scripts/notes_demo.py --records {output.records:q}"
        " --labels {output.labels:q} --key {output.key:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule notes_train:
    output:
        model=f"{N}/model/names.model",
        card=f"{N}/model/card.json",
        receipt=f"{N}/receipts/train.json",
    log:
        f"{N}/logs/train.log",
    benchmark:
        f"{N}/benchmarks/train.tsv"
    conda:
        "../../envs/notes.yaml"
    resources:
        mem_mb=grown(4000),
        runtime=grown(30),
    params:
        *stage("notes.train"),
    message:
        "Train the name model"
    shell:
        "OMP_NUM_THREADS={threads} POLARS_MAX_THREADS={threads} python workflow/scripts/notes_train.py --model {output.model:q} --card {output.card:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule notes_ingest:
    input:
        sources=record_sources(),
    output:
        shards=[
            f"{SENSITIVE}/{table}/{shard}.parquet"
            for table in NOTES_TABLES
            for shard in shards("notes")
        ],
        quarantine=f"{N}/unchecked/quarantine.parquet",
        manifest=f"{SENSITIVE}/manifest.json",
        receipt=f"{N}/receipts/ingest.json",
    log:
        f"{N}/logs/ingest.log",
    benchmark:
        f"{N}/benchmarks/ingest.tsv"
    conda:
        "../../envs/notes.yaml"
    resources:
        mem_mb=grown(2000),
        runtime=grown(60),
    params:
        *record_params(),
    message:
        "Read the clinical records into typed shards"
    shell:
        "umask 077 && POLARS_MAX_THREADS={threads} python workflow/scripts/notes_ingest.py --sources {input.sources:q}"
        " --patients $(dirname {output.manifest:q})/patients --encounters $(dirname {output.manifest:q})/encounters"
        " --observations $(dirname {output.manifest:q})/observations"
        " --quarantine {output.quarantine:q} --manifest {output.manifest:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule notes_quality:
    input:
        ingested=f"{N}/receipts/ingest.json",
    output:
        receipt=f"{N}/receipts/quality.json",
    log:
        f"{N}/logs/quality.log",
    benchmark:
        f"{N}/benchmarks/quality.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(500),
        runtime=grown(5),
    params:
        *stage("notes.quality"),
    message:
        "Stop when too many records went to quarantine"
    shell:
        "python workflow/scripts/notes_quality.py --receipts {input.ingested:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


checkpoint notes_plan:
    input:
        quality=ancient(f"{N}/receipts/quality.json"),
        manifest=f"{SENSITIVE}/manifest.json",
    output:
        plan=f"{N}/plan.json",
        receipt=f"{N}/receipts/plan.json",
    log:
        f"{N}/logs/plan.log",
    benchmark:
        f"{N}/benchmarks/plan.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(500),
        runtime=grown(5),
    params:
        *stage("notes.plan"),
    message:
        "Plan which shards are new"
    shell:
        "python workflow/scripts/plan.py --manifest {input.manifest:q} --receipts"
        " --output {output.plan:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule notes_redact:
    input:
        patients=ancient(f"{SENSITIVE}/patients/{{shard}}.parquet"),
        encounters=ancient(f"{SENSITIVE}/encounters/{{shard}}.parquet"),
        observations=ancient(f"{SENSITIVE}/observations/{{shard}}.parquet"),
        model=f"{N}/model/names.model",
        key=key_inputs(),
        plan=ancient(f"{N}/plan.json"),
    output:
        redacted=f"{N}/redacted/{{shard}}.parquet",
        audit=f"{N}/audit/{{shard}}.parquet",
        receipt=f"{N}/receipts/redact/{{shard}}.json",
    log:
        f"{N}/logs/redact/{{shard}}.log",
    benchmark:
        f"{N}/benchmarks/redact/{{shard}}.tsv"
    # everything that is published waits for it, the evaluation does not
    priority: 1
    conda:
        "../../envs/notes.yaml"
    threads: CONFIG.notes.ner.processes
    resources:
        mem_mb=grown(3000),
        runtime=grown(60),
    params:
        *keyed("notes.redact"),
        f"path.cache={N}/cache",
        planned("notes", *NOTES_TABLES),
    message:
        "Redact the notes of shard {wildcards.shard}"
    shell:
        f"{LOCKED_KEY}"
        "OMP_NUM_THREADS={threads} POLARS_MAX_THREADS={threads} python workflow/scripts/notes_redact.py"
        " --patients {input.patients:q} --encounters {input.encounters:q} --observations {input.observations:q}"
        " --model {input.model:q} --redacted {output.redacted:q} --audit {output.audit:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule notes_deidentify:
    input:
        patients=notes_shards(f"{SENSITIVE}/patients"),
        encounters=notes_shards(f"{SENSITIVE}/encounters"),
        observations=notes_shards(f"{SENSITIVE}/observations"),
        redacted=notes_shards(f"{N}/redacted"),
        audits=notes_shards(f"{N}/audit"),
        key=key_inputs(),
        plan=f"{N}/plan.json",
    output:
        patients=f"{N}/unchecked/patients.parquet",
        encounters=f"{N}/unchecked/encounters.parquet",
        observations=f"{N}/unchecked/observations.parquet",
        audit=f"{N}/unchecked/audit.parquet",
        receipt=f"{N}/receipts/deidentify.json",
    log:
        f"{N}/logs/deidentify.log",
    benchmark:
        f"{N}/benchmarks/deidentify.tsv"
    conda:
        "../../envs/notes.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *keyed("notes.deidentify"),
    message:
        "De-identify the tables and put the redacted notes together"
    shell:
        f"{LOCKED_KEY}"
        "POLARS_MAX_THREADS={threads} python workflow/scripts/notes_deidentify.py"
        " --patients $(dirname {input.patients[0]:q}) --encounters $(dirname {input.encounters[0]:q})"
        " --observations $(dirname {input.observations[0]:q}) --plan {input.plan:q}"
        " --redacted $(dirname {input.redacted[0]:q}) --audits $(dirname {input.audits[0]:q})"
        " --published-patients {output.patients:q} --published-encounters {output.encounters:q}"
        " --published-observations {output.observations:q} --audit {output.audit:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule notes_gate:
    input:
        patients=notes_shards(f"{SENSITIVE}/patients"),
        encounters=notes_shards(f"{SENSITIVE}/encounters"),
        observations=notes_shards(f"{SENSITIVE}/observations"),
        published_patients=f"{N}/unchecked/patients.parquet",
        published_encounters=f"{N}/unchecked/encounters.parquet",
        published_observations=f"{N}/unchecked/observations.parquet",
        plan=ancient(f"{N}/plan.json"),
        canaries=[ancient(on_this_machine(CANARIES))] if CANARIES else [],
        key=key_inputs(),
    output:
        findings=f"{N}/leaks.parquet",
        receipt=f"{N}/receipts/gate.json",
    log:
        f"{N}/logs/gate.log",
    benchmark:
        f"{N}/benchmarks/gate.tsv"
    conda:
        "../../envs/notes.yaml"
    threads: 2
    resources:
        mem_mb=grown(4000),
        runtime=grown(10),
    params:
        *keyed("notes.gate"),
        *([f"path.canaries={CANARIES}"] if CANARIES else []),
        *(
            [f"data.canaries={source_digest(Path(CANARIES), SOURCE_DIGESTS)}"]
            if CANARIES
            else []
        ),
    message:
        "Look for leaks by other means"
    shell:
        f"{LOCKED_KEY}"
        "POLARS_MAX_THREADS={threads} python workflow/scripts/notes_gate.py"
        " --patients $(dirname {input.patients[0]:q}) --encounters $(dirname {input.encounters[0]:q})"
        " --observations $(dirname {input.observations[0]:q}) --plan {input.plan:q}"
        " --published-patients {input.published_patients:q} --published-encounters {input.published_encounters:q}"
        " --published-observations {input.published_observations:q} --findings {output.findings:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule notes_evaluate:
    input:
        labels=f"{SENSITIVE}/source/labels.jsonl",
        model=f"{N}/model/names.model",
        patients=notes_shards(f"{SENSITIVE}/patients") if NOTES_DEMO else [],
        encounters=notes_shards(f"{SENSITIVE}/encounters") if NOTES_DEMO else [],
        observations=notes_shards(f"{SENSITIVE}/observations") if NOTES_DEMO else [],
        plan=ancient(f"{N}/plan.json") if NOTES_DEMO else [],
    output:
        scores=f"{N}/evaluation.parquet",
        misses=f"{SENSITIVE}/misses.parquet",
        receipt=f"{N}/receipts/evaluate.json",
    log:
        f"{N}/logs/evaluate.log",
    benchmark:
        f"{N}/benchmarks/evaluate.tsv"
    conda:
        "../../envs/notes.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("notes.evaluate"),
    message:
        "Measure recall and over-redaction on notes that the model never saw"
    shell:
        "OMP_NUM_THREADS={threads} POLARS_MAX_THREADS={threads} python workflow/scripts/notes_evaluate.py --labels {input.labels:q}"
        f"{FROM_RECORDS}"
        " --model {input.model:q} --scores {output.scores:q} --misses {output.misses:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule notes_publish:
    input:
        patients=f"{N}/unchecked/patients.parquet",
        encounters=f"{N}/unchecked/encounters.parquet",
        observations=f"{N}/unchecked/observations.parquet",
        audit=f"{N}/unchecked/audit.parquet",
        quarantine=f"{N}/unchecked/quarantine.parquet",
        findings=f"{N}/leaks.parquet",
        gate=f"{N}/receipts/gate.json",
        redacted=expand(f"{N}/receipts/redact/{{shard}}.json", shard=shards("notes")),
        plan=ancient(f"{N}/plan.json"),
        receipts=[f"{N}/receipts/{name}.json" for name in NOTES_RECEIPTS],
    output:
        patients=f"{N}/patients.parquet",
        encounters=f"{N}/encounters.parquet",
        observations=f"{N}/observations.parquet",
        audit=f"{N}/audit.parquet",
        quarantine=f"{N}/quarantine.parquet",
        receipt=f"{N}/receipts/publish.json",
    log:
        f"{N}/logs/publish.log",
    benchmark:
        f"{N}/benchmarks/publish.tsv"
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("notes.publish"),
        warehouse,
    message:
        "Publish what passed the leak gate"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/notes_publish.py"
        " --patients {input.patients:q} --encounters {input.encounters:q} --observations {input.observations:q}"
        " --audit {input.audit:q} --quarantine {input.quarantine:q} --findings {input.findings:q} --gate {input.gate:q}"
        " --redacted $(dirname {input.redacted[0]:q}) --plan {input.plan:q} --receipts {input.receipts:q} --folder $(dirname {output.patients:q})"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"


rule notes_report:
    input:
        scores=f"{N}/evaluation.parquet",
        misses=f"{SENSITIVE}/misses.parquet",
        audit=f"{N}/audit.parquet",
        observations=f"{N}/observations.parquet",
        quarantine=f"{N}/quarantine.parquet",
        card=f"{N}/model/card.json",
        redacted=expand(f"{N}/receipts/redact/{{shard}}.json", shard=shards("notes")),
        plan=ancient(f"{N}/plan.json"),
        receipts=[
            f"{N}/receipts/{name}.json"
            for name in ("quality", "evaluate", "publish", *NOTES_RECEIPTS)
        ],
    output:
        page=report(f"{N}/report.html", category="Notes", caption="../report/notes.rst"),
        receipt=f"{N}/receipts/report.json",
    log:
        f"{N}/logs/report.log",
    benchmark:
        f"{N}/benchmarks/report.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=grown(3000),
        runtime=grown(10),
    params:
        *stage("notes.report"),
    message:
        "Write the report page"
    shell:
        "POLARS_MAX_THREADS={threads} python workflow/scripts/notes_report.py"
        " --scores {input.scores:q} --misses {input.misses:q} --audit {input.audit:q}"
        " --observations {input.observations:q} --quarantine {input.quarantine:q} --card {input.card:q}"
        " --redacted $(dirname {input.redacted[0]:q}) --plan {input.plan:q}"
        " --receipts {input.receipts:q} --output {output.page:q}"
        " --receipt {output.receipt:q} --params {params:q} 2>&1 | tee {log:q} >&2"
