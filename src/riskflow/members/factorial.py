"""Expand a factorial definition into the scenarios of all combinations of its factors' levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from riskflow.members.definitions import DecompositionDefinition, ScenarioDefinition


@dataclass(frozen=True)
class Scenario:
    """A run to make or to look up: its name, its full settings, or its run id."""

    name: str
    settings: Mapping[str, str]


def expanded(definition: DecompositionDefinition) -> list[Scenario]:
    """Return one scenario per combination of levels; the first factor's level changes fastest.

    With two levels each, scenario number `mask` has factor i at its second level when bit i of `mask` is set.
    """
    factors = list(reversed(definition.factors))
    scenarios = []
    for levels in product(*(factor.levels for factor in factors)):
        chosen = dict(zip([factor.name for factor in factors], levels, strict=True))
        settings: dict[str, str] = dict(definition.fixed.items())
        settings |= {factor.setting: chosen[factor.name] for factor in definition.factors}
        name = ", ".join(f"{factor.name}={chosen[factor.name]}" for factor in definition.factors)
        scenarios.append(Scenario(name, full_settings(settings)))
    return scenarios


def scenario_of(name: str, definition: ScenarioDefinition) -> Scenario:
    """Return a named scenario with its full settings, or with the id of an existing run."""
    given = {key: value for key, value in definition.model_dump().items() if value}
    return Scenario(name, given if "run" in given else full_settings(given))


def full_settings(given: Mapping[str, str]) -> dict[str, str]:
    """Return model, csr, enrolment, diagnoses and drugs; `data` stands for the three tables not given."""
    data, model = given.get("data", "current"), given.get("model", "")
    settings = {"model": model, "csr": given.get("csr") or model.split("/")[0]}
    return settings | {table: given.get(table) or data for table in ("enrolment", "diagnoses", "drugs")}
