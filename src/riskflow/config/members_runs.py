"""Configuration of the members track after scoring: the registry, comparison, decomposition, transfers."""

from typing import ClassVar, Literal

from pydantic import Field

from riskflow.config.base import Section, StageConfig


class MembersRunsSection(Section):
    """How runs are recorded in the registry."""

    group: str = "members"
    """Description of the group that this workflow's runs belong to."""
    description: str = ""
    """Description of the runs."""
    trigger: str = "workflow"
    """What set the runs going: workflow, schedule, a person."""


class MembersComparisonSection(Section):
    """The comparison of last year's run, or an earlier one (A), with this year's (B)."""

    against: str = ""
    """Earlier run to compare with: its run id in the warehouse, or its results folder; empty: last year's members."""
    population: Literal["intersection", "union", "a_only", "b_only"] = "union"
    """Members to compare: those in both runs, in either, or in one alone."""
    score: Literal["csr_adjusted_score", "raw_score"] = "csr_adjusted_score"
    """Which score."""


class MembersDecompositionSection(Section):
    """What the change of scores is decomposed into."""

    definitions: str = "config/members_decompositions.yaml"
    """File with scenarios, factorials and decompositions, relative to the repository."""
    score: Literal["csr_adjusted_score", "raw_score"] = "csr_adjusted_score"
    """Which score."""
    buckets: int = Field(default=1000, ge=2, le=100_000)
    """Groups of members that the bootstrap draws; one per member where there are fewer members."""
    seed: int = 1
    """Seed of the bootstrap."""


class MembersTransfersSection(Section):
    """State transfers."""

    enabled: bool = True
    """Compute them; they need premium and rating_area of every span."""

    cost_factors: str = ""
    """CSV of geographic cost factors (State, Rating_Area, GCF, Year, Market); empty: derived from the premiums."""
    cost_factor_year: int = Field(default=2024, ge=2014, le=2100)
    """Which year of that file."""


class _Stage(StageConfig):
    track: ClassVar[str] = "members"


class MembersRecordStage(_Stage):
    """Config of recording a run."""

    runs: MembersRunsSection


class MembersCompareStage(_Stage):
    """Config of the comparison."""

    comparison: MembersComparisonSection


class MembersDecomposeStage(_Stage):
    """Config of the decompositions."""

    decomposition: MembersDecompositionSection


class MembersTransferStage(_Stage):
    """Config of the transfers."""

    transfers: MembersTransfersSection


class MembersPublishStage(_Stage):
    """Config of publishing."""

    runs: MembersRunsSection


RUN_STAGES: dict[str, type[StageConfig]] = {
    "record": MembersRecordStage,
    "compare": MembersCompareStage,
    "decompose": MembersDecomposeStage,
    "transfer": MembersTransferStage,
    "publish": MembersPublishStage,
}
"""Stage name → the config that it may read."""
