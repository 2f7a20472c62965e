"""Shared by all of the workflow: the validated config, stage params, source files and shard digests."""

import json
import os
import re
import sys
from functools import cache
from glob import glob
from importlib import import_module
from pathlib import Path

from snakemake.exceptions import WorkflowError

from riskflow.config.root import ConfigError, stage_params, validated
from riskflow.errors import RiskflowError
from riskflow.files import check_writable
from riskflow.jobs import prepare_environment
from riskflow.provenance import by_package, fingerprint
from riskflow.sources.digest import source_digest

try:
    CONFIG = validated(config, [Path(path) for path in workflow.configfiles])
except ConfigError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
SOURCE_DIGESTS = Path(RESULTS) / ".source_digests.json"
CODE_FACTS = Path(RESULTS) / ".code_facts.json"
PROGRAMS = Path(workflow.basedir) / "workflow" / "scripts"


include: "storage.smk"


prepare_environment(Path(workflow.basedir), CONFIG.umask, local_copies(), CODE_FACTS)
# Snakemake knows only later that it is a dry run, and before it runs stops without a word of what to do.
if not any(re.fullmatch(r"-[a-z]*n[a-z]*|--dry-?run", word) for word in sys.argv):
    try:
        for folder in ("", *CONFIG.tracks):
            check_writable(Path(RESULTS) / folder)
    except RiskflowError as error:
        raise WorkflowError(str(error)) from None


# What a person opens or asks for, per track: a plain run makes these, and what they need.
FINAL = {
    "providers": [
        f"{RESULTS}/providers/{name}"
        for name in ("scores.parquet", "report.html", "receipts/publish.json")
    ],
    "members": [
        f"{RESULTS}/members/{name}"
        for name in ("scores.parquet", "report.html", "receipts/publish.json")
    ],
    "notes": [
        f"{RESULTS}/notes/{name}"
        for name in ("observations.parquet", "report.html", "receipts/publish.json")
    ],
}
if CONFIG.publish.postgres.enabled:
    for track, made in FINAL.items():
        made.append(f"{RESULTS}/{track}/receipts/publish_postgres.json")


def final(track):
    """The final files of a track; a function that says what to write where the config leaves the track out."""

    def refused(wildcards):
        raise WorkflowError(
            f"the track {track} is not in the config's tracks ({', '.join(CONFIG.tracks)}): add it there"
        )

    return FINAL[track] if track in CONFIG.tracks else refused


wildcard_constraints:
    shard=r"\d{4}",


def shards(track):
    """Names of a track's shards: static, so that a dry run lists every job."""
    return [f"{number:04d}" for number in range(getattr(CONFIG, track).shards.count)]


@cache
def stage(name, *config_of, told=dict):
    """Params of a stage, each naming itself: the config keys it may read and the modules it can reach.

    `config_of`: the stages whose keys it may read, where these are not its own; `told`: how the modules are told.
    """
    track, _, step = name.partition(".")
    keys = [key for one in config_of or [name] for key in stage_keys(one)]
    program = "plan.py" if step == "plan" else f"{track}_{step}.py"
    modules = told(fingerprint(PROGRAMS / program, CODE_FACTS))
    return [*keys, *(f"code.{module}={digest}" for module, digest in modules.items())]


def shard_stage(name):
    """Params of a stage that runs once per shard: its code by package, as Snakemake goes over every param per job."""
    return stage(name, told=by_package)


def stage_keys(name):
    """The config keys that a stage may read, as params."""
    section, _, step = name.partition(".")
    model = import_module(f"riskflow.config.{section}").STAGES.get(step)
    return stage_params(CONFIG, model) if model else []


def grown(amount):
    """A resource that a retried job gets more of: once more the amount with every attempt."""
    return lambda wildcards, attempt: amount * attempt


def source_files(track, table, made):
    """The files of a source table: what the workflow makes of it, or the user's own (`path` may be a glob)."""
    source = getattr(CONFIG, track).source
    if source.kind != "files":
        return made
    if ELSEWHERE:
        return []
    pattern = getattr(source, table).path
    found = sorted(glob(pattern))
    if not found:
        raise WorkflowError(
            f"{track}.source.{table}.path: no file matches {pattern}; write a path relative to the repository"
        )
    return [ancient(on_this_machine(path)) for path in found]


def source_params(name, table):
    """Params of a stage that reads one source table: its config without the other tables', and the files' digests.

    The digest, not the date, decides whether a source is new: an edit with an old date is seen, and a touch
    without an edit is none.
    """
    track = name.partition(".")[0]
    source = getattr(CONFIG, track).source
    mine = ("config.source.kind", f"config.source.{table}.")
    params = [
        p
        for p in stage(name)
        if not p.startswith("config.source.") or p.startswith(mine)
    ]
    if source.kind != "files":
        return params
    files = [Path(path) for path in source_files(track, table, [])]
    return [
        *params,
        *(f"data.{path.name}={source_digest(path, SOURCE_DIGESTS)}" for path in files),
    ]


def database_state(track, tables):
    """Params with the state of a track's tables in PostgreSQL, where the config says to watch them.

    The server is asked once per plan; the jobs, which read this file as well, take what was answered then.
    """
    source, known = getattr(CONFIG, track).source, Path(RESULTS) / ".source_state.txt"
    if not source.postgres.watch:
        return []
    if workflow.is_main_process or not known.exists():
        # imported where it is needed: every start of Snakemake reads this file
        from riskflow.errors import RiskflowError
        from riskflow.files import write_text
        from riskflow.sources.postgres import changes

        asked = [getattr(source, table) for table in tables]
        try:
            state = changes(
                source.postgres,
                [(table.table, table.updated_column) for table in asked],
            )
        except RiskflowError as error:
            raise WorkflowError(str(error)) from None
        write_text(state, known)
    return [f"data.state={known.read_text()}"]


def planned(track, *parts):
    """A params function of wildcards only: digests as the plan has them, of parts of a shard or of whole artifacts.

    The shards themselves are `ancient` inputs, so a shard is worked on when its content is new, not when
    its file is. One function for all parts of a job: Snakemake takes longer to call it than it takes to run.
    """

    def digests(wildcards):
        plan = plan_digests(track)
        found = (
            (
                digest
                if isinstance(digest := plan.get(part), str)
                else (digest or {}).get(wildcards.shard)
            )
            for part in parts
        )
        return f"data.{'+'.join(parts)}={'+'.join(digest or 'unplanned' for digest in found)}"

    return digests


def plan_digests(track):
    """The digests in a track's plan; empty before the first run. Asked for by every job, so no Path is built."""
    name = f"{RESULTS}/{track}/plan.json"
    if STORAGE:
        return json.loads(stored_text(name) or "{}")
    try:
        return plan_content(name, os.stat(name).st_mtime_ns)
    except FileNotFoundError:
        return {}


@cache
def plan_content(name, modified):
    return json.loads(Path(name).read_text())


def earlier(folder, name):
    """An artifact of an earlier run as an input, where the config names that run's folder."""
    return [ancient(f"{folder}/{name}")] if folder else []


def earlier_params(folder, name, option, hand_folder=False):
    """Params that hand an artifact of an earlier run, or its folder, to a stage; none where no run is named."""
    if not folder:
        return []
    path = Path(folder) / name
    if not path.exists():
        raise WorkflowError(
            f"{path} is not there: the config names {folder} as an earlier run, but it has no {name}"
        )
    handed = folder if hand_folder else path
    return [
        f"path.{option}={handed}",
        f"data.{option}={source_digest(path, SOURCE_DIGESTS)}",
    ]
