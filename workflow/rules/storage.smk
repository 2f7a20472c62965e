"""Where the workflow's files are when a storage provider keeps them: objects in a bucket, local copies while a job runs.

Rules name their files as always; Snakemake fetches and stores them. This is for what Snakemake does not do: the plan
is read while the jobs are planned, and what lies in a folder of this machine (the one that Snakemake was started on)
stays on this machine.
"""

from tempfile import TemporaryDirectory
from time import monotonic

STORAGE = workflow.storage_registry.default_storage_provider
# A job on another machine reads the rules too, and has none of the files that stay on this machine.
ELSEWHERE = bool(STORAGE and workflow.remote_exec)
PLAN_SECONDS = 2.0
STAYING = set()


def named_folder(text):
    """The text where it names a folder, else ""."""
    return text if text and Path(text).is_dir() else ""


for key, folder in {
    "providers.previous.run": CONFIG.providers.previous.run,
    "providers.delta.reference": CONFIG.providers.delta.reference,
    "members.comparison.against": named_folder(CONFIG.members.comparison.against),
}.items():
    if STORAGE and folder:
        raise WorkflowError(
            f"{key}: an earlier run is read from a folder that all jobs share, and a storage provider keeps "
            "the files of this one; leave the key empty or run on a shared folder"
        )


def stays_here(*rules):
    """Run rules on this machine where a storage provider keeps the files: they need a file that is not in the bucket."""
    if STORAGE:
        STAYING.update(rules)
        workflow.localrules(*rules)


def stored(path):
    """The object that a file of the workflow is in the bucket."""
    prefix = workflow.storage_settings.default_storage_prefix.rstrip("/")
    return STORAGE.object(f"{prefix}/{path}")


def local_copies():
    """The folder of the local copies of the workflow's files, relative to the working directory; "" without storage."""
    return str(stored("x").local_path().parent) if STORAGE else ""


def check_storage():
    """Ask the storage one question before Snakemake does, whose error would be a page long."""
    try:
        stored(f"{RESULTS}/none").exists()
    except Exception as error:
        raise WorkflowError(
            f"{workflow.storage_settings.default_storage_prefix} cannot be read ({type(error).__name__}); look at the "
            "address of the storage (--storage-s3-endpoint-url), the bucket, its keys, then run the same command again"
        ) from None


def on_this_machine(path):
    """A file that is never in the bucket, though there may be one; a job that reads it stays on this machine."""
    return local(path) if STORAGE else path


def warehouse(wildcards):
    """A params function: the warehouse, which is a file of this machine."""
    taken = STAYING.intersection(workflow.dag_settings.allowed_rules or ())
    if ELSEWHERE and taken:
        raise WorkflowError(
            f"a group took {', '.join(sorted(taken))} to another machine, where the warehouse would be lost; "
            "leave it out of `groups`"
        )
    return f"path.warehouse_file={RESULTS}/warehouse.duckdb"


def stored_text(path):
    """The content of an object, or None where there is none.

    Asked once per PLAN_SECONDS, and again when a checkpoint is done: Snakemake looks at the params of every job.
    """
    key = (path, len(workflow.checkpoints.created_output))
    known = _STORED_TEXTS.get(key)
    if known and monotonic() - known[0] < PLAN_SECONDS:
        return known[1]
    text = _fetched(stored(path))
    _STORED_TEXTS[key] = (monotonic(), text)
    return text


_STORED_TEXTS = {}
if STORAGE and workflow.is_main_process:
    check_storage()


def _fetched(item):
    if not item.exists():
        return None
    with TemporaryDirectory() as folder:
        item.set_local_path(Path(folder) / "object")
        item.retrieve_object()
        return item.local_path().read_text()
