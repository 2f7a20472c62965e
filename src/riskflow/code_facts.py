"""What a module's source text says: a hash of what runs, the first-party modules it imports, the files it names.

Reading a syntax tree takes some milliseconds, and a plan looks at hundreds; so the facts are remembered in a
file, by the size and the modification and change times of the module.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from riskflow.errors import RiskflowError
from riskflow.files import write_text

PACKAGE = "riskflow"
RESOURCE_SUFFIXES = (".sql", ".cypher", ".yaml", ".csv", ".json", ".txt", ".j2", ".css", ".parquet")
_LONGEST_NAME = 120


@dataclass(frozen=True)
class CodeFacts:
    """Digest of the syntax tree without docstrings and positions; imported modules; texts that look like files."""

    digest: str
    imports: tuple[str, ...]
    files: tuple[str, ...]


class Memory:
    """Facts already known, kept in a JSON file where one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known = _content(path)
        self._new = False

    def facts(self, path: Path, module: str) -> CodeFacts:
        """Return the facts of the module in a file, reading it only when it is not as remembered."""
        status = path.stat()
        identity = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, module]
        name = str(path.absolute())
        known = self._known.get(name)
        if known is None or known["identity"] != identity:
            known = {"identity": identity, **asdict(code_facts(path, module))}
            self._known[name], self._new = known, True
        return CodeFacts(known["digest"], tuple(known["imports"]), tuple(known["files"]))

    def save(self) -> None:
        """Write what was learnt, if anything was; where it cannot be written it is only learnt again."""
        if self._path is not None and self._new:
            with suppress(RiskflowError):
                write_text(json.dumps(self._known, sort_keys=True), self._path)
            self._new = False


def code_facts(path: Path, module: str) -> CodeFacts:
    """Return the facts of a module's source; `module` is its dotted name, against which relative imports count."""
    tree = _without_docstrings(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
    nodes = list(ast.walk(tree))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    files = {text for text in texts if text.endswith(RESOURCE_SUFFIXES) and len(text) < _LONGEST_NAME}
    is_package = path.name == "__init__.py"
    imports = {name for node in nodes for name in _imported(node, module, is_package)}
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return CodeFacts(digest, tuple(sorted(imports)), tuple(sorted(files)))


def _content(path: Path | None) -> dict[str, dict[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


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


def _imported(node: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from _first_party([alias.name for alias in node.names])
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, module, is_package)
        yield from _first_party([base, *(f"{base}.{alias.name}" for alias in node.names)])


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parent = parts[: len(parts) - node.level + is_package]
    return ".".join([*parent, *([node.module] if node.module else [])])


def _first_party(names: list[str]) -> Iterator[str]:
    """Yield each first-party name and the packages above it, whose __init__ runs on import too."""
    for name in names:
        parts = name.split(".")
        if parts[0] == PACKAGE:
            yield from (".".join(parts[: depth + 1]) for depth in range(len(parts)))
