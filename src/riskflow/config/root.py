"""The whole configuration: one model, loaded from YAML layers, all errors told at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from riskflow.config.base import Section, StageConfig, leaf_values
from riskflow.config.costs import CostsConfig
from riskflow.config.members import MembersConfig
from riskflow.config.notes import NotesConfig
from riskflow.config.providers import ProvidersConfig
from riskflow.config.publish import PublishConfig
from riskflow.errors import RiskflowError

Track = Literal["providers", "members", "notes"]


class RiskflowConfig(Section):
    """Every key of riskflow. Overlays in config/scenarios/ change what differs and nothing else."""

    tracks: list[Track] = list(get_args(Track))
    """Tracks that a plain `snakemake` builds; the rules of the others are not read."""
    results: str = Field(default="results", min_length=1, pattern=r"^[^\s]+$")
    """Folder of everything that is made, relative to the repository; ignored by git."""
    umask: str = Field(default="027", pattern=r"^0?[0-7]{3}$")
    """File mode mask of what is made: 027 gives files 0640 and folders 0750."""
    providers: ProvidersConfig = ProvidersConfig()
    members: MembersConfig = MembersConfig()
    notes: NotesConfig = NotesConfig()
    publish: PublishConfig = PublishConfig()
    costs: CostsConfig = CostsConfig()


class ConfigError(RiskflowError):
    """One or more faults in the configuration; the message lists them all."""


def load(layers: Sequence[Path]) -> RiskflowConfig:
    """Return the configuration of YAML files laid over each other, later ones on top."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = overlaid(merged, yaml_mapping(layer))
    return validated(merged, layers)


def validated(values: Mapping[str, Any], layers: Sequence[Path] = ()) -> RiskflowConfig:
    """Return the model of merged values; `layers` are the files they came from, for the error messages."""
    try:
        return RiskflowConfig.model_validate(dict(values))
    except ValidationError as error:
        faults = sorted({_fault(detail, layers) for detail in error.errors(include_url=False)})
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise ConfigError(f"{count} in the configuration:\n  " + "\n  ".join(faults)) from None


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with the keys of `above` on top, mapping by mapping."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = overlaid(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def yaml_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; an empty file is an empty mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"config file not found: {path}", "start from config/config.yaml") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(
            f"{path}{line}: not valid YAML ({getattr(error, 'problem', 'unreadable')})"
        ) from None
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"{path}: expected keys with values, as in config/config.yaml")
    return content or {}


def stage_params(config: RiskflowConfig, stage: type[StageConfig]) -> list[str]:
    """Return `config.<key>=<json>` for exactly the keys that a stage may read, sorted."""
    track = getattr(config, stage.track)
    values = {name: getattr(track, name).model_dump(mode="json") for name in stage.model_fields}
    return sorted(f"config.{key}={value}" for key, value in leaf_values(values).items())


def _fault(detail: ErrorDetails, layers: Sequence[Path]) -> str:
    location = [part for part in detail["loc"] if isinstance(part, str)]
    key = ".".join(str(part) for part in detail["loc"])
    where = _file_of(location, layers)
    if detail["type"] == "extra_forbidden":
        return f"{where}{key}: no such key{_suggestion(location)}"
    message = detail["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(detail["input"], dict | list | BaseModel) else f" (found {detail['input']!r})"
    return f"{where}{key}: {message[0].lower()}{message[1:]}{shown}{_default_hint(location)}"


def _file_of(location: Sequence[str], layers: Sequence[Path]) -> str:
    """Say which file sets the key: the last layer that has it."""
    for layer in reversed(layers):
        node: Any = yaml_mapping(layer)
        for part in location:
            node = node.get(part, _MISSING) if isinstance(node, dict) else _MISSING
        if node is not _MISSING:
            return f"{layer}: "
    return ""


_MISSING = object()


def _suggestion(location: Sequence[str]) -> str:
    """Name the nearest right key: among the siblings first, then anywhere."""
    siblings = _fields_at(location[:-1])
    near = difflib.get_close_matches(location[-1], siblings, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {'.'.join([*location[:-1], near[0]])}?"
    elsewhere = [key for key in _all_keys() if key.rsplit(".", 1)[-1] == location[-1]]
    if elsewhere:
        return f"; did you mean {elsewhere[0]}?"
    return f"; keys here: {', '.join(siblings)}"


def _default_hint(location: Sequence[str]) -> str:
    parent = _model_at(location[:-1])
    field = parent.model_fields.get(location[-1]) if parent and location else None
    if field is None or field.is_required() or isinstance(field.default, BaseModel):
        return ""
    value = (
        leaf_values(parent.model_construct().model_dump(mode="json")).get(location[-1]) if parent else None
    )
    return f"; the default is {value}" if value is not None else ""


def _model_at(location: Sequence[str]) -> type[BaseModel] | None:
    model: type[BaseModel] = RiskflowConfig
    for part in location:
        field = model.model_fields.get(part)
        if field is None or not (
            isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        ):
            return None
        model = field.annotation
    return model


def _fields_at(location: Sequence[str]) -> list[str]:
    model = _model_at(location)
    return list(model.model_fields) if model else []


@cache
def _all_keys() -> list[str]:
    return list(leaf_values(RiskflowConfig().model_dump(mode="json")))
