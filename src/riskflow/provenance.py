"""What code a stage runs: a hash per first-party module that it can reach by import.

A hash is taken over the syntax tree without docstrings and positions, so comments and formatting make
nothing stale, and over the SQL, Cypher, YAML, CSV and template files that the module names.
"""

from __future__ import annotations

import ast
import hashlib
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "riskflow"
ROOT = Path(__file__).parent
RESOURCE_SUFFIXES = (".sql", ".cypher", ".yaml", ".csv", ".json", ".txt", ".j2", ".css", ".parquet")
_HASH_LENGTH = 12


def fingerprint(program: Path) -> dict[str, str]:
    """Return module name → hash for a stage program and all first-party modules reachable from it by import."""
    modules = {program.name: _hash(program)}
    queue = list(_imports(program, program.stem))
    while queue:
        module = queue.pop()
        path = _path(module)
        if path is None or module in modules:
            continue
        modules[module] = _hash(path)
        queue.extend(_imports(path, module))
    return dict(sorted(modules.items()))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _hash(path: Path) -> str:
    tree = _tree(path)
    digest = hashlib.sha256(ast.dump(_without_docstrings(tree)).encode())
    for resource in sorted(_resources(tree, path.parent)):
        digest.update(resource.name.encode())
        digest.update(resource.read_bytes())
    return digest.hexdigest()[:_HASH_LENGTH]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return tree


def _resources(tree: ast.Module, folder: Path) -> set[Path]:
    """Return the files beside the module, or in the folder data beside it, that a text constant in its code names."""
    names = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {name for name in names if name.endswith(RESOURCE_SUFFIXES) and len(name) < 120}
    candidates = {place / name for place in (folder, folder / "data") for name in named}
    return {path for path in candidates if path.is_file()}


@cache
def _imports(path: Path, module: str) -> tuple[str, ...]:
    return tuple(sorted(set(_imported_modules(_tree(path), module))))


def _imported_modules(tree: ast.Module, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from _first_party(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module)
            yield from _first_party([base, *(f"{base}.{alias.name}" for alias in node.names)])


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    is_package = (ROOT.parent / Path(*module.split(".")) / "__init__.py").exists()
    parts = module.split(".")
    parent = parts[: len(parts) - node.level + is_package]
    return ".".join([*parent, *([node.module] if node.module else [])])


def _first_party(names: Iterator[str] | list[str]) -> Iterator[str]:
    """Yield each first-party name and the packages above it, whose __init__ runs on import too."""
    for name in names:
        parts = name.split(".")
        if parts[0] == PACKAGE:
            yield from (".".join(parts[: depth + 1]) for depth in range(len(parts)))


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
        commit = ask("rev-parse", "HEAD")
        return {
            "branch": ask("rev-parse", "--abbrev-ref", "HEAD"),
            "commit": commit,
            "commit_date": ask("show", "-s", "--format=%cI", "HEAD"),
            "clean": bool(commit) and not ask("status", "--porcelain", "--untracked-files=no"),
        }
    except OSError:  # no git on this machine
        return {"branch": "", "commit": "", "commit_date": "", "clean": False}
