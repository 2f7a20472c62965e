"""Configuration of the provider track: sources, scoring method, graph, exclusions, delta runs, backtest."""

import datetime as dt
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from riskflow.config.base import Section, StageConfig
from riskflow.config.providers_source import DemoSection as DemoSection
from riskflow.config.providers_source import SourceSection as SourceSection
from riskflow.config.providers_source import TableSource as TableSource

Share = Field(ge=0, le=1)


class QualitySection(Section):
    """When bad input stops the run."""

    max_quarantined: float = Field(default=0.05, ge=0, le=1)
    """Highest share of rows of one table that may go to quarantine."""


class ShardsSection(Section):
    """How the population is cut for the per-shard stages. It never changes a result."""

    count: int = Field(default=4, ge=1, le=4096)
    """Number of shards: about 100,000 NPIs each is a good size; 16 for the whole country."""


class ScoringSection(Section):
    """Which score, as of when."""

    method: Literal["v1", "claidex"] = "v1"
    """v1: the corrected score; claidex: the predecessor's formulas, for comparison."""
    date: dt.date = dt.date(2024, 12, 31)
    """Scoring date: exclusions are active or not, and years are counted back, as of this day."""


class WeightsSection(Section):
    """Weight of each component; they are normalised over the components that a provider has."""

    billing: float = Field(default=0.30, ge=0)
    """Payments, payment per claim and claims per beneficiary above peers."""
    ownership: float = Field(default=0.25, ge=0)
    """Excluded owners and affiliates within `graph.hops`."""
    trajectory: float = Field(default=0.20, ge=0)
    """Growth above peers between consecutive years."""
    exclusion: float = Field(default=0.15, ge=0)
    """Own, owner's or chain's active exclusion."""
    concentration: float = Field(default=0.10, ge=0)
    """Share of the largest program in the newest three years."""

    @model_validator(mode="after")
    def _some_weight(self) -> "WeightsSection":
        if self.billing + self.ownership + self.trajectory + self.exclusion + self.concentration <= 0:
            raise ValueError("all weights are 0; give at least one component a weight above 0")
        return self


class ComponentsSection(Section):
    """Shapes of the components."""

    year_decay: float = Field(default=0.7, gt=0, le=1)
    """A year counts this much of the year after it."""
    window_years: int = Field(default=6, ge=1, le=30)
    """How many years back from the newest one are scored."""
    z_cap: float = Field(default=5.0, gt=0)
    """Robust z scores are cut at ± this."""
    concentration_floor: float = Field(default=0.5, ge=0, lt=1)
    """A top-program share up to this is no concentration."""
    concentration_years: int = Field(default=3, ge=1)
    """Newest years over which concentration is measured."""


class PeersSection(Section):
    """Who is compared with whom; statistics are global, never per shard."""

    minimum: int = Field(default=50, ge=2)
    """Smallest peer group; a smaller one climbs the ladder."""
    minimum_claims: int = Field(default=100, ge=0)
    """Rows with fewer claims are scored, but are nobody's peer."""
    ladder: list[list[Literal["taxonomy", "state", "year"]]] = [
        ["taxonomy", "state", "year"],
        ["taxonomy", "year"],
        ["year"],
    ]
    """Peer groups from the narrowest to the widest."""


class GraphSection(Section):
    """The ownership graph and what counts in it."""

    backend: Literal["embedded", "neo4j"] = "embedded"
    """embedded: in process; neo4j: a server over Bolt (see the `neo4j` keys)."""
    hops: int = Field(default=3, ge=1, le=6)
    """How far up the ownership chain to look."""
    decay: float = Field(default=0.5, gt=0, le=1)
    """An excluded node counts this much of one a hop nearer."""
    hub_cap: int = Field(default=200, ge=1)
    """An owner of more facilities than this (a chain's management company) does not carry risk between them."""
    roles: list[str] = []
    """Role texts that count as ownership or control (part of the role, any letter case); empty: all."""
    default_pct: float = Field(default=5.0, ge=0, le=100)
    """Percentage assumed for a role without one: 5% is the disclosure threshold (42 CFR 420.201)."""
    minimum_pct: float = Field(default=0.0, ge=0, le=100)
    """Smaller holdings are left out."""


class Neo4jSection(Section):
    """The graph server, where `graph.backend` is neo4j. Any server that speaks Bolt and standard Cypher."""

    uri: str = Field(default="bolt://127.0.0.1:7687", pattern=r"^(bolt|neo4j)(\+s|\+ssc)?://[^\s@]+$")
    """Address: bolt://host:port, neo4j://… for a cluster, +s for TLS; never with a password in it."""
    database: str = Field(default="neo4j", min_length=1)
    """Database that holds the ownership graph and nothing else."""
    user: str = "neo4j"
    """User; may read, write and create constraints."""
    password_file: str = ""
    """File with the password on its first line; empty: environment variable RISKFLOW_NEO4J_PASSWORD."""
    batch: int = Field(default=1000, ge=1, le=100_000)
    """NPIs per query."""
    retry_seconds: int = Field(default=60, ge=0, le=3600)
    """How long a batch is tried again after transient errors (a restart, a lost connection, a deadlock)."""


class ExclusionsSection(Section):
    """What exclusions mean and how names are matched."""

    waivers_count: bool = False
    """Whether a waived exclusion still counts as active."""
    match_names: bool = True
    """Write candidates matched by name, birth date and state to their own table (they are never scored)."""


class TiersSection(Section):
    """Lowest percentile of each tier; below the last is Low."""

    high: float = Field(default=80, ge=0, le=100)
    """High from this percentile."""
    elevated: float = Field(default=60, ge=0, le=100)
    """Elevated from this percentile."""
    moderate: float = Field(default=30, ge=0, le=100)
    """Moderate from this percentile."""

    @model_validator(mode="after")
    def _descending(self) -> "TiersSection":
        if not self.high > self.elevated > self.moderate:
            raise ValueError("tiers must descend: high > elevated > moderate, for example 80, 60, 30")
        return self


class FlagsSection(Section):
    """When a flag is raised."""

    billing_percentile: float = Field(default=95, ge=0, le=100)
    """Billing outlier percentile from which a provider is flagged."""
    billing: float = Field(default=80, ge=0, le=100)
    """Billing component of the growth-and-billing flag."""
    trajectory: float = Field(default=60, ge=0, le=100)
    """Trajectory component of the growth-and-billing flag."""
    ownership: float = Field(default=50, ge=0, le=100)
    """Ownership component from which a provider is flagged."""
    concentration: float = Field(default=60, ge=0, le=100)
    """Concentration component from which a provider is flagged."""
    exclusion: float = Field(default=80, ge=0, le=100)
    """Exclusion component from which a provider is flagged."""


class DeltaSection(Section):
    """Score only some providers, against stored references."""

    only: list[int] = []
    """NPIs to score; empty: all."""
    newer_than: dt.date | None = None
    """Score providers whose registry row was updated after this day; null: all."""
    reference: str = ""
    """Folder of the full run whose references to use, such as results/providers; empty: this run's own."""


class PreviousSection(Section):
    """An earlier run to compare with."""

    run: str = ""
    """Folder of an earlier run to compare with, such as results_may/providers; empty: no comparison."""


class BacktestSection(Section):
    """Score as of a past day, then look at who was excluded later."""

    as_of: dt.date = dt.date(2022, 12, 31)
    """Day as of which to score: only payments and exclusions known then are used."""
    horizon_months: int = Field(default=24, ge=1)
    """How long after that day exclusions count as outcomes."""
    top: list[int] = [50, 100, 500]
    """Sizes of the list heads for precision and lift."""
    resamples: int = Field(default=200, ge=20)
    """Bootstrap resamples behind the intervals."""
    seed: int = 7
    """Seed of the bootstrap."""


class ReportSection(Section):
    """The report page."""

    top: int = Field(default=25, ge=1, le=500)
    """How many of the highest-ranked providers to show with reasons."""


class ProvidersConfig(Section):
    """Provider track: a peer-relative risk score per NPI, explained."""

    source: SourceSection = SourceSection()
    demo: DemoSection = DemoSection()
    quality: QualitySection = QualitySection()
    shards: ShardsSection = ShardsSection()
    scoring: ScoringSection = ScoringSection()
    weights: WeightsSection = WeightsSection()
    components: ComponentsSection = ComponentsSection()
    peers: PeersSection = PeersSection()
    graph: GraphSection = GraphSection()
    neo4j: Neo4jSection = Neo4jSection()
    exclusions: ExclusionsSection = ExclusionsSection()
    tiers: TiersSection = TiersSection()
    flags: FlagsSection = FlagsSection()
    delta: DeltaSection = DeltaSection()
    previous: PreviousSection = PreviousSection()
    backtest: BacktestSection = BacktestSection()
    report: ReportSection = ReportSection()

    @model_validator(mode="after")
    def _tables_have_places(self) -> "ProvidersConfig":
        if fault := self.source.fault():
            raise ValueError(fault)
        return self


class _Stage(StageConfig):
    track: ClassVar[str] = "providers"


class DemoStage(_Stage):
    """Config of the demo generator."""

    demo: DemoSection


class ExportStage(_Stage):
    """Config of exporting the raw tables from PostgreSQL."""

    source: SourceSection


class IngestStage(_Stage):
    """Config of reading and validating the raw tables."""

    source: SourceSection


class QualityStage(_Stage):
    """Config of the quality gate."""

    quality: QualitySection


class ExclusionsStage(_Stage):
    """Config of deciding which exclusions are active."""

    scoring: ScoringSection
    exclusions: ExclusionsSection


class GraphStage(_Stage):
    """Config of building the graph tables and of the features per shard."""

    scoring: ScoringSection
    exclusions: ExclusionsSection
    graph: GraphSection


class LoadGraphStage(_Stage):
    """Config of loading the graph into Neo4j."""

    neo4j: Neo4jSection


class Neo4jFeaturesStage(_Stage):
    """Config of asking Neo4j about a shard."""

    graph: GraphSection
    neo4j: Neo4jSection


class MetricsStage(_Stage):
    """Config of the yearly metrics per provider."""

    scoring: ScoringSection
    components: ComponentsSection


class ReferenceStage(_Stage):
    """Config of the global peer statistics."""

    scoring: ScoringSection
    peers: PeersSection
    components: ComponentsSection


class ShardStage(_Stage):
    """Config of cutting the population into shards."""

    shards: ShardsSection
    delta: DeltaSection


class ScoreStage(_Stage):
    """Config of the score of one shard."""

    scoring: ScoringSection
    weights: WeightsSection
    components: ComponentsSection
    peers: PeersSection


class RankStage(_Stage):
    """Config of ranks and tiers."""

    scoring: ScoringSection
    tiers: TiersSection


class ExplainStage(_Stage):
    """Config of flags and reasons."""

    scoring: ScoringSection
    flags: FlagsSection
    weights: WeightsSection
    tiers: TiersSection


class DecomposeStage(_Stage):
    """Config of attributing the change between two runs."""

    scoring: ScoringSection
    weights: WeightsSection
    components: ComponentsSection
    peers: PeersSection
    tiers: TiersSection


class BacktestStage(_Stage):
    """Config of the backtest: everything that the score itself reads, and the outcome window."""

    scoring: ScoringSection
    weights: WeightsSection
    components: ComponentsSection
    peers: PeersSection
    graph: GraphSection
    exclusions: ExclusionsSection
    tiers: TiersSection
    backtest: BacktestSection


class PublishStage(_Stage):
    """Config of publishing the scores."""

    scoring: ScoringSection
    delta: DeltaSection


class ReportStage(_Stage):
    """Config of the report page."""

    report: ReportSection
    tiers: TiersSection


STAGES: dict[str, type[StageConfig]] = {
    "demo": DemoStage,
    "export": ExportStage,
    "ingest": IngestStage,
    "quality": QualityStage,
    "exclusions": ExclusionsStage,
    "matching": ExclusionsStage,
    "graph": GraphStage,
    "features": GraphStage,
    "load_graph": LoadGraphStage,
    "features_neo4j": Neo4jFeaturesStage,
    "metrics": MetricsStage,
    "reference": ReferenceStage,
    "shard": ShardStage,
    "score": ScoreStage,
    "percentiles": ReferenceStage,
    "rank": RankStage,
    "explain": ExplainStage,
    "decompose": DecomposeStage,
    "backtest": BacktestStage,
    "publish": PublishStage,
    "report": ReportStage,
}
"""Stage name → the config that it may read; a stage that is not here reads none."""
