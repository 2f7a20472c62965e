"""riskflow config: check the configuration, show what is in force and which file set it, write the generated files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskflow.cli.console import ConfigFiles, layers, repository, row, show, table, without_secrets
from riskflow.errors import RiskflowError

if TYPE_CHECKING:
    from riskflow.config.root import RiskflowConfig

DEFAULT = "default"


def register(seats: Any) -> None:
    """Add `config check`, `config show` and `config write`."""
    seats.config.command("check")(check)
    seats.config.command("show")(show_config)
    seats.config.command("write")(write)


def check(files: ConfigFiles = None) -> None:
    """Tell every fault in the configuration at once; exit code 1 when there is one."""
    stack = layers(files)
    _loaded(stack)
    typer.echo(f"no faults in {', '.join(map(str, stack)) or 'the defaults'}")


def show_config(
    files: ConfigFiles = None,
    section: Annotated[str, typer.Option(help="Only keys that begin so, for example providers.graph.")] = "",
    changed: Annotated[
        bool, typer.Option("--changed", help="Only keys that are not at their default.")
    ] = False,
) -> None:
    """Show the configuration in force, and for each key the file that set it."""
    from riskflow.config.base import leaf_values
    from riskflow.config.root import RiskflowConfig

    stack = layers(files)
    values = leaf_values(_loaded(stack).model_dump(mode="json"))
    defaults = leaf_values(RiskflowConfig().model_dump(mode="json"))
    setters = setting_layers(stack, values)
    shown = {
        key: value
        for key, value in values.items()
        if key.startswith(section) and not (changed and value == defaults.get(key))
    }
    if not shown and section:
        raise RiskflowError(f"no key begins with {section}", "look at config/config.yaml or docs/config.md")
    listing = table("key", "value", "set by")
    for key, value in shown.items():
        row(
            listing,
            key,
            without_secrets(key, value),
            setters[key],
            style="" if value != defaults.get(key) else "dim",
        )
    show(listing)
    differing = sum(value != defaults.get(key) for key, value in shown.items())
    typer.echo(f"{len(shown)} keys, {differing} not at their default", err=True)


def write() -> None:
    """Write config/config.yaml, config/schema.json and docs/config.md from the models."""
    from riskflow.config.generate import write_all

    root = repository()
    for path in write_all(root):
        typer.echo(f"wrote {path.relative_to(root)}")


def setting_layers(stack: Sequence[Path], values: dict[str, str]) -> dict[str, str]:
    """Return for each dotted key the last file that sets it, or `default`."""
    from riskflow.config.root import yaml_mapping

    mappings = [(str(path), yaml_mapping(path)) for path in stack]
    return {
        key: next((name for name, content in reversed(mappings) if _sets(content, key.split("."))), DEFAULT)
        for key in values
    }


def _sets(content: Any, parts: Sequence[str]) -> bool:
    for part in parts:
        if not isinstance(content, dict) or part not in content:
            return False
        content = content[part]
    return True


def _loaded(stack: Sequence[Path]) -> RiskflowConfig:
    """Return the configuration; unreadable files and faulty keys are told together."""
    from riskflow.config.root import ConfigError, load, yaml_mapping

    unreadable, readable = [], []
    for path in stack:
        try:
            yaml_mapping(path)
            readable.append(path)
        except ConfigError as error:
            unreadable.append(str(error))
    try:
        config = load(readable)
    except ConfigError as error:
        raise ConfigError("\n".join([*unreadable, str(error)])) from None
    if unreadable:
        raise ConfigError("\n".join(unreadable))
    return config
