"""What code a stage runs: a hash per first-party module that it can reach by import.

A hash is taken over the syntax tree without docstrings and positions, so comments and formatting make
nothing stale, and over the SQL, Cypher, YAML, CSV and template files that the module names.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from riskflow.code_facts import Memory
from riskflow.jobs import CODE_FACTS_VARIABLE

ROOT = Path(__file__).parent
_HASH_LENGTH = 12


def fingerprint(program: Path, memory: Path | None = None) -> dict[str, str]:
    """Return module name → hash for a stage program and all first-party modules reachable from it by import.

    `memory` is a JSON file in which what is known of each module's source is kept between calls; in a job, that of
    the plan.
    """
    known = _memory(memory or _plans_memory())
    queue, modules = [(program.name, program)], dict[str, str]()
    while queue:
        module, path = queue.pop()
        facts = known.facts(path, module.removesuffix(".py"))
        modules[module] = _hash(facts.digest, resources(path.parent, facts.files))
        imported = [(name, _path(name)) for name in facts.imports if name not in modules]
        queue.extend((name, path) for name, path in imported if path is not None)
    known.save()
    return dict(sorted(modules.items()))


def by_package(modules: Mapping[str, str]) -> dict[str, str]:
    """Return package → one hash over its modules in a fingerprint; programs and packages at the top are their own."""
    parts: dict[str, list[str]] = {}
    own = _parents(modules)
    for module, digest in sorted(modules.items()):
        package = module if module in own or module.endswith(".py") else module.rpartition(".")[0]
        parts.setdefault(package, []).append(f"{module}={digest}")
    return {
        package: hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_HASH_LENGTH]
        for package, lines in parts.items()
    }


def _parents(modules: Iterable[str]) -> set[str]:
    return {module.rpartition(".")[0] for module in modules} | {"riskflow"}


def resources(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the files of these names beside a module in `folder`, or in the folder data beside it."""
    candidates = {place / name for place in (folder, folder / "data") for name in names}
    return sorted(path for path in candidates if path.is_file())


def forget() -> None:
    """Forget what this process has read of the code, for tests that change it."""
    for remembered in (_memory, _path, _hash_of_file):
        remembered.cache_clear()


def _plans_memory() -> Path | None:
    named = os.environ.get(CODE_FACTS_VARIABLE)
    return Path(named) if named else None


@cache
def _memory(path: Path | None) -> Memory:
    return Memory(path)


def _hash(code: str, files: list[Path]) -> str:
    digest = hashlib.sha256(code.encode())
    for path in files:
        digest.update(path.name.encode() + _hash_of_file(path))
    return digest.hexdigest()[:_HASH_LENGTH]


@cache
def _hash_of_file(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


@cache
def _path(module: str) -> Path | None:
    base = ROOT.parent / Path(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def git_state() -> dict[str, str | bool]:
    """Return branch, commit, commit_date and clean of the checkout, or empty texts outside git."""

    def ask(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit, _, commit_date = ask("show", "-s", "--format=%H %cI", "HEAD").partition(" ")
        return {
            "branch": ask("rev-parse", "--abbrev-ref", "HEAD"),
            "commit": commit,
            "commit_date": commit_date,
            "clean": bool(commit) and not ask("status", "--porcelain", "--untracked-files=no"),
        }
    except OSError:  # no git on this machine
        return {"branch": "", "commit": "", "commit_date": "", "clean": False}
