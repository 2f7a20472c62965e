"""What the notes rules share: where identifiers may be, the files of records, the key and its mark."""

import os
from glob import glob

from riskflow.errors import RiskflowError

N = f"{RESULTS}/notes"
# The only folder with identifiers: sources, typed shards, labelled demo notes. All else is redacted.
SENSITIVE = f"{N}/sensitive"
NOTES_DEMO = CONFIG.notes.source.kind == "demo"
DEMO_KEY_FILE = f"{N}/demo.key"
NOTES_TABLES = ("patients", "encounters", "observations")
# What must be nowhere is told to the gate on the machine that has the file.
CANARIES = "" if ELSEWHERE else CONFIG.notes.gate.canaries
# The receipts that say what a run was.
NOTES_RECEIPTS = ("train", "ingest", "plan", "deidentify", "gate")


# How the evaluation is given the records of the patients whose notes are labelled: the demo's own.
FROM_RECORDS = (
    " --patients $(dirname {input.patients[0]:q}) --encounters $(dirname {input.encounters[0]:q})"
    " --observations $(dirname {input.observations[0]:q}) --plan {input.plan:q}"
    if NOTES_DEMO
    else ""
)


def notes_shards(part):
    """The shards of a source table, or of what redaction makes of them, as inputs."""
    return expand(f"{part}/{{shard}}.parquet", shard=shards("notes"))


def record_sources():
    """The files of clinical records: the demo's, or what notes.source.paths (files, folders, globs) names."""
    source = CONFIG.notes.source
    if NOTES_DEMO:
        return [f"{SENSITIVE}/source/records.json"]
    if ELSEWHERE:
        return []
    # imported where it is needed: every start of Snakemake reads this file
    from riskflow.notes.ingest.sources import source_files as record_files

    named = [
        Path(found) for path in source.paths for found in (sorted(glob(path)) or [path])
    ]
    try:
        return [
            ancient(on_this_machine(str(path)))
            for path in record_files(named, source.format)
        ]
    except RiskflowError as error:
        raise WorkflowError(str(error)) from None


def record_params():
    """Params of ingest: its config and code, and the digest of each of the user's files."""
    if NOTES_DEMO:
        return stage("notes.ingest")
    digests = [
        f"data.{path}={source_digest(Path(path), SOURCE_DIGESTS)}"
        for path in record_sources()
    ]
    return [*stage("notes.ingest"), *digests]


def key_mark():
    """What tells the key of a run from another, so that a new key makes stale what depends on it; never the key."""
    key_file = CONFIG.notes.policy.key_file
    if NOTES_DEMO and not key_file and not os.environ.get("RISKFLOW_NOTES_KEY"):
        return "demo"
    if NOTES_DEMO and not key_file and STORAGE:
        raise WorkflowError(
            "notes.policy.key_file: RISKFLOW_NOTES_KEY does not reach other machines, which would take the demo's key; "
            "unset it, or name a file that is at the same path on every machine"
        )
    from riskflow.notes.pseudonym import DEMO_KEY, key_fingerprint, load_key

    try:
        key = load_key(key_file)
    except RiskflowError:
        return "none"  # the stages say what is wrong
    if not NOTES_DEMO and key == DEMO_KEY:
        raise WorkflowError(
            "notes.policy: the key of the demo is known to everybody; make one of your own"
        )
    return key_fingerprint(key)


KEY_MARK = key_mark()
# A storage provider keeps no permissions, and a key that others may read is refused.
LOCKED_KEY = "chmod 600 {input.key:q} && " if STORAGE and KEY_MARK == "demo" else ""
# The warehouse is a file of one machine.
stays_here("notes_publish")


def keyed(name):
    """Params of a stage that needs the key: where it is, and its mark. The demo's key only ever serves the demo."""
    params = stage(name)
    if KEY_MARK == "demo":
        empty = 'config.policy.key_file=""'
        params = [
            f'config.policy.key_file="{DEMO_KEY_FILE}"' if p == empty else p
            for p in params
        ]
    return [*params, f"data.key={KEY_MARK}"]


def key_inputs():
    return [ancient(DEMO_KEY_FILE)] if KEY_MARK == "demo" else []
