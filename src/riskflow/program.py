"""Turn a stage's `run` function into a command line program: the only code of workflow/scripts/*.py.

Every keyword of `run` becomes an option: `Path`, `list[Path]`, `str`, `int` by their types; `config` comes
from `--params config.<key>=<json> …`. Beside these, `path.<option>=<path>` stands for an option (a file that
is no output of a rule), and `code.<module>=<hash>` and `data.<name>=<digest>` only go into the receipt.
Each param names itself, since Snakemake compares params as a set of values.
"""

from __future__ import annotations

import argparse
import atexit
import hashlib
import inspect
import json
import logging
import os
import platform
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from pydantic import ValidationError

from riskflow import artifacts, provenance
from riskflow.config.base import StageConfig, nested_values
from riskflow.errors import RiskflowError
from riskflow.receipts import Receipt

log = logging.getLogger("riskflow")
REPORTED_PACKAGES = ("polars", "duckdb", "pyarrow", "pandera", "pydantic", "snakemake")


def run_program(run: Callable[..., Receipt], argv: Sequence[str] | None = None) -> None:
    """Parse the command line, run the stage, write its receipt; exit 1 with one clear line on an error.

    Without `argv` the command line is the process's own, which ends with it.
    """
    stage = run.__module__.removeprefix("riskflow.")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=f"%(asctime)s {stage}: %(message)s")
    parser = _parser(run)
    try:
        arguments = vars(parser.parse_args(_with_path_options(sys.argv[1:] if argv is None else argv)))
        receipt_path: Path | None = arguments.pop("receipt")
        params = _named_params(arguments.pop("params"))
        receipt = _timed(run, stage, arguments, params)
        if receipt_path is not None:
            receipt.write(receipt_path)
    except RiskflowError as error:
        print(f"riskflow {stage}: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception as error:  # shown without its message, which may hold cell values
        _print_without_values(stage, error)
        sys.exit(1)
    if argv is None:
        _end()


def _end() -> NoReturn:
    """End this process, with all that Python does at an end but to take every module apart: a tenth of a second."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _timed(
    run: Callable[..., Receipt], stage: str, arguments: dict[str, Any], params: dict[str, str]
) -> Receipt:
    started, clock = datetime.now(UTC), time.perf_counter()
    digest = provenance_digest(stage, params)
    config = _config(run, params)
    with artifacts.ledger(digest) as ledger:
        receipt = run(**arguments, **({"config": config} if config is not None else {}))
    seconds = time.perf_counter() - clock
    receipt.stage, receipt.params, receipt.provenance = stage, params, digest
    receipt.inputs, receipt.outputs = ledger.inputs, ledger.outputs
    receipt.run = {
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "threads": os.environ.get("POLARS_MAX_THREADS", ""),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in REPORTED_PACKAGES},
        "git": provenance.git_state(),
    }
    counts = ", ".join(f"{name} {count:,}" for name, count in receipt.counts.items())
    log.info("%s in %.2f s", counts or "done", seconds)
    return receipt


def provenance_digest(stage: str, params: dict[str, str]) -> str:
    """Return the sha256 over the stage's name, its config and its code (not its data)."""
    relevant = {key: value for key, value in params.items() if key.startswith(("config.", "code."))}
    return hashlib.sha256(json.dumps([stage, relevant], sort_keys=True).encode()).hexdigest()


def _config(run: Callable[..., Receipt], params: dict[str, str]) -> StageConfig | None:
    kind = get_type_hints(run).get("config")
    if kind is None:
        return None
    leaves = {
        key.removeprefix("config."): value for key, value in params.items() if key.startswith("config.")
    }
    try:
        model: StageConfig = kind.model_validate(nested_values(leaves))
    except ValidationError as error:
        faults = [
            f"config.{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors(include_url=False)
        ]
        raise _unfit("; ".join(sorted(faults))) from None
    return model


def _named_params(items: Sequence[str]) -> dict[str, str]:
    """Return name → value of params; config values must be JSON."""
    params = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or (name.startswith("config.") and not _is_json(value)):
            raise _unfit(f"{name} is not name=value with a JSON value")
        params[name] = value
    return params


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _unfit(faults: str) -> RiskflowError:
    return RiskflowError(
        f"--params: {faults}", 'the rule passes stage_config("<stage>"); pass config.<key>=<json>'
    )


def _with_path_options(words: Sequence[str]) -> list[str]:
    """Return the command line with each `path.<name>=<path>` given as the option that it stands for."""
    paths = [word.removeprefix("path.").partition("=") for word in words if word.startswith("path.")]
    options = [part for name, _, value in paths for part in (f"--{name.replace('_', '-')}", value)]
    return [*options, *words]


def _parser(run: Callable[..., Receipt]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(inspect.getdoc(run) or "").partition("\n")[0])
    hints = get_type_hints(run)
    for name, parameter in inspect.signature(run).parameters.items():
        if name == "config":
            continue
        required = parameter.default is inspect.Parameter.empty
        option = "--" + name.replace("_", "-")
        default = None if required else parameter.default
        if hints[name] == list[Path]:
            parser.add_argument(option, type=Path, nargs="*", required=required, default=default)
        else:
            kind = next((k for k in (Path, int, str) if hints[name] in (k, k | None)), None)
            if kind is None:
                raise TypeError(f"run() keyword {name}: options are Path, list[Path], int or str")
            parser.add_argument(option, type=kind, required=required, default=default)
    parser.add_argument("--receipt", type=Path, help="where to write the receipt (JSON)")
    parser.add_argument("--params", nargs="*", default=[], help="config.*, code.* and data.* as name=value")
    return parser


def _print_without_values(stage: str, error: Exception) -> None:
    print(f"riskflow {stage}: {type(error).__name__} (message withheld: it may hold values)", file=sys.stderr)
    for frame in traceback.extract_tb(error.__traceback__):
        print(f"  {frame.filename}:{frame.lineno} in {frame.name}", file=sys.stderr)
    if os.environ.get("RISKFLOW_DEBUG") == "1":
        print(f"  {error}", file=sys.stderr)
    else:
        print("  set RISKFLOW_DEBUG=1 to see the message, on data that may be shown", file=sys.stderr)
