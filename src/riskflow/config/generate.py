"""Write config/config.yaml, config/schema.json and docs/config.md from the models, so that they never differ."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from riskflow.config.root import RiskflowConfig
from riskflow.files import write_text

HEADER = """\
# riskflow: every key, with its default. Made from the models in src/riskflow/config by `make config`.
# Change what you need in an overlay (see config/scenarios/) and pass it with --configfile.
"""


def config_yaml() -> str:
    """Return the default configuration with a comment per key."""
    return HEADER + "".join(_yaml_lines(RiskflowConfig(), depth=0))


def schema_json() -> str:
    """Return the JSON schema, for editors."""
    return json.dumps(RiskflowConfig.model_json_schema(), indent=1) + "\n"


def reference_page() -> str:
    """Return the reference page: a table per section with key, default, limits and meaning."""
    intro = (
        "# Configuration\n\nMade from the models in `src/riskflow/config` by `make config`. Every key has a default: "
        "`config/config.yaml` holds them all. Write what differs into a file of its own and pass it with "
        "`snakemake --configfile FILE`; `riskflow config check FILE` tells all faults at once.\n"
    )
    return intro + "".join(_page_sections(RiskflowConfig(), ()))


def write_all(repository: Path) -> list[Path]:
    """Write the three files and return their paths."""
    files = {
        repository / "config" / "config.yaml": config_yaml(),
        repository / "config" / "schema.json": schema_json(),
        repository / "docs" / "config.md": reference_page(),
    }
    for path, text in files.items():
        write_text(text, path)
    return list(files)


def _yaml_lines(section: BaseModel, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from ("\n",) if depth < 2 else ()
            yield from _comment(field.description or _summary(type(value)), indent)
            yield f"{indent}{name}:\n"
            yield from _yaml_lines(value, depth + 1)
        else:
            yield from _comment(field.description or "", indent)
            yield f"{indent}{name}: {_inline(section.model_dump(mode='json')[name])}\n"


def _comment(text: str, indent: str) -> Iterator[str]:
    for line in textwrap.wrap(" ".join(text.split()), width=108 - len(indent)):
        yield f"{indent}# {line}\n"


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().partition("\n")[0]


def _inline(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()


def _page_sections(section: BaseModel, path: tuple[str, ...]) -> Iterator[str]:
    title = ".".join(path) or "Top level"
    yield f"\n## {title}\n\n{_summary(type(section))}\n"
    leaves = [n for n in type(section).model_fields if not isinstance(getattr(section, n), BaseModel)]
    if leaves:
        yield "\n| key | default | meaning |\n|---|---|---|\n"
        dumped = section.model_dump(mode="json")
        for name in leaves:
            field = type(section).model_fields[name]
            yield f"| `{name}` | `{_inline(dumped[name])}` | {_meaning(field)} |\n"
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _page_sections(value, (*path, name))


def _meaning(field: FieldInfo) -> str:
    limits = [_limit(item) for item in field.metadata]
    text = " ".join((field.description or "").split()).replace("|", "\\|")
    shown = [limit for limit in limits if limit]
    return f"{text} ({', '.join(shown)})" if shown else text


def _limit(constraint: Any) -> str:
    for name, word in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
        if hasattr(constraint, name):
            return f"{word} {getattr(constraint, name)}"
    return ""
