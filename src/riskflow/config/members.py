"""Configuration of the members track: sources, benefit year and vintage, runs, decompositions, transfers."""

from typing import ClassVar, Literal

from pydantic import Field

from riskflow.config.base import Section, StageConfig
from riskflow.config.members_runs import (
    RUN_STAGES,
    MembersComparisonSection,
    MembersDecompositionSection,
    MembersRunsSection,
    MembersTransfersSection,
)


class MembersTable(Section):
    """Where one raw member table is and what its columns are called there."""

    path: str = ""
    """File, relative to the repository: .csv, .csv.gz, .parquet, or .duckdb (then `table` names the view)."""
    table: str = ""
    """Table or view inside a .duckdb file; empty for other files."""
    columns: dict[str, str] = {}
    """Our column name → the name in the file, where they differ."""


class MembersSourceSection(Section):
    """Raw inputs: the embedded demo, or files."""

    kind: Literal["demo", "files"] = "demo"
    """demo: generated members; files: the three tables below."""
    spans: MembersTable = MembersTable()
    """Enrolment spans: member_id, sex, date_of_birth, metal, csr_indicator, enrolment_start, enrolment_end, …"""
    diagnoses: MembersTable = MembersTable()
    """Diagnoses: member_id, code (ICD-10-CM), service_date."""
    drugs: MembersTable = MembersTable()
    """Drugs: member_id, ndc, hcpcs."""


class MembersPriorSection(Section):
    """Last year's members, to compare with and to explain the change from; without files there is no comparison.

    With the demo they are generated. What kind of source they are is what `source.kind` says.
    """

    benefit_year: int = Field(default=0, ge=0, le=2100)
    """Their benefit year; 0: the year before `model.benefit_year`."""
    vintage: str = "latest"
    """Which of that year's CMS releases scores them."""
    spans: MembersTable = MembersTable()
    """Enrolment spans, as in `source.spans`."""
    diagnoses: MembersTable = MembersTable()
    """Diagnoses, as in `source.diagnoses`."""
    drugs: MembersTable = MembersTable()
    """Drugs, as in `source.drugs`."""


class MembersDemoSection(Section):
    """The generated demo members."""

    members: int = Field(default=5000, ge=100)
    """How many members to generate."""
    seed: int = 20250101
    """Seed; the same seed gives the same bytes."""
    dirt: float = Field(default=0.004, ge=0, le=0.2)
    """Share of rows that are dirty in each way that real files are."""


class MembersQualitySection(Section):
    """When bad input stops the run."""

    max_quarantined: float = Field(default=0.05, ge=0, le=1)
    """Highest share of rows of one table that may go to quarantine."""


class MembersShardsSection(Section):
    """How the population is cut for the per-shard stages. It never changes a result."""

    count: int = Field(default=2, ge=1, le=4096)
    """Number of shards."""


class MembersModelSection(Section):
    """Which CMS tables score the members."""

    benefit_year: int = Field(default=2025, ge=2021, le=2100)
    """Benefit year of enrolment, diagnoses and coefficients."""
    vintage: str = "latest"
    """Which of the year's CMS releases; latest: the newest in the tables."""
    eligible_codes: str = ""
    """File with the CPT/HCPCS codes that make a claim risk-adjustment eligible (DIY Table 2, yours: AMA copyright)."""


class MembersReportSection(Section):
    """The report page."""

    top: int = Field(default=15, ge=1, le=200)
    """How many of the most frequent HCCs, drug categories and moved variables to show."""


class MembersConfig(Section):
    """Members track: HHS-HCC scores, runs compared and decomposed, transfers."""

    source: MembersSourceSection = MembersSourceSection()
    prior: MembersPriorSection = MembersPriorSection()
    demo: MembersDemoSection = MembersDemoSection()
    quality: MembersQualitySection = MembersQualitySection()
    shards: MembersShardsSection = MembersShardsSection()
    model: MembersModelSection = MembersModelSection()
    runs: MembersRunsSection = MembersRunsSection()
    comparison: MembersComparisonSection = MembersComparisonSection()
    decomposition: MembersDecompositionSection = MembersDecompositionSection()
    transfers: MembersTransfersSection = MembersTransfersSection()
    report: MembersReportSection = MembersReportSection()

    @property
    def prior_year(self) -> int:
        """The benefit year of the prior members."""
        return self.prior.benefit_year or self.model.benefit_year - 1


class _Stage(StageConfig):
    track: ClassVar[str] = "members"


class MembersDemoStage(_Stage):
    """Config of the demo generator."""

    demo: MembersDemoSection


class MembersIngestStage(_Stage):
    """Config of reading and validating the raw tables."""

    source: MembersSourceSection


class MembersQualityStage(_Stage):
    """Config of the quality gate."""

    quality: MembersQualitySection


class MembersShardStage(_Stage):
    """Config of cutting the population."""

    shards: MembersShardsSection


class MembersScoreStage(_Stage):
    """Config of the score of one shard."""

    model: MembersModelSection


class MembersReportStage(_Stage):
    """Config of the page."""

    report: MembersReportSection


STAGES: dict[str, type[StageConfig]] = {
    "demo": MembersDemoStage,
    "ingest": MembersIngestStage,
    "quality": MembersQualityStage,
    "shard": MembersShardStage,
    "score": MembersScoreStage,
    "report": MembersReportStage,
    **RUN_STAGES,
}
"""Stage name → the config that it may read; a stage that is not here reads none."""
