"""What all rule files share: the validated config, stage params, source files and shard digests."""

import json
import os
import sys
from functools import cache
from glob import glob
from importlib import import_module
from pathlib import Path

from snakemake.exceptions import WorkflowError

from riskflow.config.root import ConfigError, stage_params, validated
from riskflow.provenance import fingerprint
from riskflow.sources.digest import source_digest

try:
    CONFIG = validated(config, [Path(path) for path in workflow.configfiles])
except ConfigError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
PROGRAMS = f"{workflow.basedir}/workflow/scripts"

# Whatever this run makes, here and in its jobs, is not for everybody's eyes.
os.umask(int(CONFIG.umask, 8))
# The jobs run with the Python that runs Snakemake, whether or not its environment is activated.
shell.prefix(f"export PATH={Path(sys.executable).parent}:$PATH; ")


wildcard_constraints:
    shard=r"\d{4}",


def shards(track):
    """Names of a track's shards: static, so that a dry run lists every job."""
    return [f"{number:04d}" for number in range(getattr(CONFIG, track).shards.count)]


@cache
def stage(name):
    """Params of a stage, each naming itself: the config keys it may read and the modules it can reach."""
    track, _, step = name.partition(".")
    model = import_module(f"riskflow.config.{track}").STAGES.get(step)
    keys = stage_params(CONFIG, model) if model else []
    modules = fingerprint(Path(PROGRAMS) / f"{track}_{step}.py")
    return [*keys, *(f"code.{module}={digest}" for module, digest in modules.items())]


def source_files(track, table, demo):
    """The files of a source table: what the demo generates, or the user's own (`path` may be a glob)."""
    source = getattr(CONFIG, track).source
    if source.kind == "demo":
        return demo
    pattern = getattr(source, table).path
    found = sorted(glob(pattern))
    if not found:
        raise WorkflowError(f"{track}.source.{table}.path: no file matches {pattern}; write a path relative to the repository")
    return [ancient(path) for path in found]


def source_params(name, table):
    """Params of a stage that reads one source table: its config without the other tables', and the files' digests.

    The digest, not the date, decides whether a source is new: an edit with an old date is seen, and a touch
    without an edit is none.
    """
    track = name.partition(".")[0]
    source = getattr(CONFIG, track).source
    mine = ("config.source.kind", f"config.source.{table}.")
    params = [p for p in stage(name) if not p.startswith("config.source.") or p.startswith(mine)]
    if source.kind == "demo":
        return params
    memory = Path(RESULTS) / ".source_digests.json"
    files = [Path(path) for path in source_files(track, table, [])]
    return [*params, *(f"data.{path.name}={source_digest(path, memory)}" for path in files)]


def planned(track, part):
    """A params function of wildcards only: the digest of a shard's part as the plan has it.

    The shards themselves are `ancient` inputs, so a shard is worked on when its content is new, not when
    its file is.
    """

    def digest(wildcards):
        digests = plan_digests(track).get(part, {})
        return f"data.{part}={digests.get(wildcards.shard, 'unplanned')}"

    return digest


def planned_whole(track, part):
    """A params function: the digest of an artifact that all shards read, as the plan has it."""

    def digest(wildcards):
        return f"data.{part}={plan_digests(track).get(part, 'unplanned')}"

    return digest


def plan_digests(track):
    """The digests in a track's plan; empty before the first run."""
    path = Path(RESULTS) / track / "plan.json"
    return plan_content(path, path.stat().st_mtime_ns) if path.exists() else {}


@cache
def plan_content(path, modified):
    return json.loads(path.read_text())
