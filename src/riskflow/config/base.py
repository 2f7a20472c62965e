"""What all configuration models share: strict sections and the view of them that one stage may read."""

import json
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A block of config keys. Unknown keys are errors; every key has a description, shown in config.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True)


class StageConfig(Section):
    """Exactly the config that one stage may read.

    Its fields are sections of the track's model, under the same names. What is not in here cannot be read
    by the stage, and a change to it does not make the stage stale.
    """

    track: ClassVar[str]


def leaf_values(value: Any, prefix: str = "") -> dict[str, str]:
    """Return dotted key → canonical JSON of every leaf of a dumped model; lists are leaves, so are open maps."""
    if isinstance(value, dict) and value and all(str(key).isidentifier() for key in value):
        return {
            k: v for key, inner in value.items() for k, v in leaf_values(inner, f"{prefix}{key}.").items()
        }
    return {prefix.removesuffix("."): json.dumps(value, sort_keys=True, separators=(",", ":"))}


def nested_values(leaves: dict[str, str]) -> dict[str, Any]:
    """Return the nested mapping that `leaf_values` flattened."""
    nested: dict[str, Any] = {}
    for dotted, text in leaves.items():
        *parents, last = dotted.split(".")
        node = nested
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = json.loads(text)
    return nested
