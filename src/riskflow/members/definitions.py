"""Decompositions and scenarios as a person writes them in YAML, checked whole before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from riskflow.config.base import Section
from riskflow.errors import RiskflowError
from riskflow.members.moments import Metric, Population, Weight

MAX_FACTORS = 8
Setting = Literal["model", "csr", "data", "enrolment", "diagnoses", "drugs"]
SEGMENTS = ("metal", "age_band", "region")


class ScenarioDefinition(Section):
    """A run by its id, or by what the workflow makes it with; what is not said is that of `data` and `model`."""

    run: str = ""
    """A scored run: current, prior, or the id (or its beginning) of a run in the warehouse; then nothing else."""
    model: str = ""
    """Benefit year of the CMS tables, or year/vintage."""
    csr: str = ""
    """Benefit year whose cost-sharing factors apply; empty: those of `model`."""
    data: str = ""
    """Data set of enrolment, diagnoses and drugs: current or prior."""
    enrolment: str = ""
    """Data set of enrolment, if another."""
    diagnoses: str = ""
    """Data set of diagnoses, if another."""
    drugs: str = ""
    """Data set of drugs, if another."""

    @model_validator(mode="after")
    def _run_or_settings(self) -> ScenarioDefinition:
        settings = [name for name in type(self).model_fields if name != "run" and getattr(self, name)]
        if self.run and settings:
            raise ValueError(f"give run, or {', '.join(settings)}, not both")
        if not self.run and not (self.model and self.data):
            raise ValueError("give run, or model and data")
        return self


class FactorDefinition(Section):
    """One factor of a factorial: a setting of the scenario and its levels, the baseline first."""

    name: str = Field(min_length=1)
    """Name of the effect."""
    setting: Setting
    """Which setting it changes."""
    levels: list[str] = Field(min_length=2)
    """Its levels, the baseline first."""


class StepDefinition(Section):
    """One step of a sequential or marginal decomposition."""

    name: str = Field(min_length=1)
    """Name of the effect."""
    scenario: str
    """Scenario that it leads to."""
    population: Population = "intersection"
    """Members whose change it measures."""


class DecompositionDefinition(Section):
    """One decomposition: method, what is measured, and its scenarios or factors."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Short name: lower-case letters, digits, underscores."""
    description: str = ""
    """What it is for."""
    method: Literal["sequential", "marginal", "factorial", "turnover", "grid"]
    """sequential, marginal, turnover: between scenarios; factorial: Shapley over two-level factors; grid: every
    combination of the levels, without effects."""
    metric: Metric = "mean"
    """mean or sum of the scores."""
    weight: Weight = "member_months"
    """What a member counts: members (1 each) or member_months."""
    population: Population = "intersection"
    """Members whose change is the total (sequential, marginal)."""
    baseline: str = ""
    """Scenario at the start (sequential, marginal, turnover)."""
    actual: str = ""
    """Scenario at the end (sequential, marginal, turnover)."""
    steps: list[StepDefinition] = Field(default_factory=list)
    """Steps (sequential, marginal)."""
    factors: list[FactorDefinition] = Field(default_factory=list, max_length=MAX_FACTORS)
    """Factors (factorial, grid)."""
    fixed: dict[Setting, str] = Field(default_factory=dict)
    """Settings that all runs of the factorial share."""
    segments: list[Literal["metal", "age_band", "region"]] = Field(default_factory=list)
    """Dimensions by which the effects are told too."""
    replicates: int = Field(default=200, ge=0, le=10_000)
    """Bootstrap replicates of each interval; 0: none."""
    level: float = Field(default=0.95, gt=0, lt=1)
    """Level of the intervals."""

    @model_validator(mode="after")
    def _parts_fit_the_method(self) -> DecompositionDefinition:
        by_factors = self.method in ("factorial", "grid")
        if by_factors and not self.factors:
            raise ValueError(f"method {self.method} needs factors")
        if not by_factors and not (self.baseline and self.actual):
            raise ValueError(f"method {self.method} needs baseline and actual")
        if self.method in ("sequential", "marginal") and not self.steps:
            raise ValueError(f"method {self.method} needs steps")
        if self.method == "factorial" and any(len(factor.levels) != 2 for factor in self.factors):
            raise ValueError("method factorial needs two levels per factor; use grid for more")
        names = [step.name for step in self.steps] + [factor.name for factor in self.factors]
        if len(names) != len(set(names)):
            raise ValueError("two steps or factors have one name")
        return self


class Definitions(Section):
    """The definitions file."""

    scenarios: dict[str, ScenarioDefinition] = Field(default_factory=dict)
    """Scenario name → run."""
    decompositions: list[DecompositionDefinition] = Field(default_factory=list)
    """What to decompose."""

    @model_validator(mode="after")
    def _names_exist(self) -> Definitions:
        names = [definition.name for definition in self.decompositions]
        if len(names) != len(set(names)):
            raise ValueError("two decompositions have one name")
        for one in self.decompositions:
            for name in filter(None, (one.baseline, one.actual, *(step.scenario for step in one.steps))):
                if name not in self.scenarios:
                    known = ", ".join(self.scenarios) or "none"
                    raise ValueError(f"{one.name} names scenario {name}, which is not among: {known}")
        return self


def data_sets(definitions: Definitions) -> set[str]:
    """Return the data sets that the scenarios and factors name: current, prior."""
    parts = ("data", "enrolment", "diagnoses", "drugs")
    named = {getattr(one, part) for one in definitions.scenarios.values() for part in ("run", *parts)}
    for one in definitions.decompositions:
        named |= {level for factor in one.factors if factor.setting in parts for level in factor.levels}
        named |= {value for setting, value in one.fixed.items() if setting in parts}
    return named & {"current", "prior"}


def load(path: Path) -> Definitions:
    """Return the definitions of a YAML file, or tell all of its faults at once."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RiskflowError(
            f"definitions file not found: {path}", "start from config/members_decompositions.yaml"
        ) from None
    except yaml.YAMLError as error:
        raise RiskflowError(f"{path}: not valid YAML ({getattr(error, 'problem', 'unreadable')})") from None
    return parsed(content or {}, str(path))


def parsed(content: Any, where: str) -> Definitions:
    """Return the definitions in a mapping; `where` names the file in error messages."""
    try:
        return Definitions.model_validate(content)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in detail['loc']) or 'file'}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors(include_url=False)
        ]
        raise RiskflowError(
            f"{where}: " + "; ".join(faults), "config/members_decompositions.yaml shows every key"
        ) from None
