"""Small provider populations for tests of the scoring mathematics."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import polars as pl

from riskflow.config.providers import ProvidersConfig, ScoreStage
from riskflow.providers.merge import merged_shards
from riskflow.providers.method import method_of
from riskflow.providers.metrics import program_totals, yearly_metrics
from riskflow.providers.percentiles import billing_percentiles
from riskflow.providers.rank import placed, score_distribution
from riskflow.providers.reference import peer_reference
from riskflow.providers.score import score_shard

PAYMENTS = {
    "npi": pl.Int64,
    "year": pl.Int32,
    "program": pl.String,
    "payments_cents": pl.Int64,
    "claims": pl.Int64,
    "beneficiaries": pl.Int64,
}
REGISTRY = {"npi": pl.Int64, "taxonomy": pl.String, "state": pl.String}
FEATURES = {
    "npi": pl.Int64,
    "own_exclusion_active": pl.Boolean,
    "owner_excluded": pl.Boolean,
    "chain_excluded": pl.Boolean,
    "ownership_risk": pl.Float64,
    "chain_providers": pl.Int64,
    "chain_excluded_providers": pl.Int64,
}
FIRST_NPI = 1_000_000_000


@dataclass(frozen=True)
class Population:
    """The inputs of a scoring run."""

    payments: pl.DataFrame
    registry: pl.DataFrame
    features: pl.DataFrame

    def shuffled(self, seed: int) -> Population:
        def mix(frame: pl.DataFrame) -> pl.DataFrame:
            return frame.sample(fraction=1.0, shuffle=True, seed=seed)

        return Population(mix(self.payments), mix(self.registry), mix(self.features))

    def only(self, npis: list[int]) -> Population:
        def keep(frame: pl.DataFrame) -> pl.DataFrame:
            return frame.filter(pl.col("npi").is_in(npis))

        return Population(keep(self.payments), keep(self.registry), keep(self.features))

    def with_payments(self, rows: list[tuple[int, int, str, int, int, int | None]]) -> Population:
        """Rows: npi, year, program, dollars, claims, beneficiaries."""
        return replace(self, payments=pl.concat([self.payments, payments(rows)]))


def payments(rows: list[tuple[int, int, str, float, int, int | None]]) -> pl.DataFrame:
    in_cents = [
        (npi, year, program, round(dollars * 100), c, b) for npi, year, program, dollars, c, b in rows
    ]
    return pl.DataFrame(in_cents, schema=PAYMENTS, orient="row")


def clean_features(npis: list[int]) -> pl.DataFrame:
    """Nobody excluded, no owner known."""
    return pl.DataFrame(
        [(npi, False, False, False, None, 0, 0) for npi in npis], schema=FEATURES, orient="row"
    )


def random_population(providers: int, seed: int, last_year: int = 2024) -> Population:
    """Providers of three taxonomies in three states (some unknown), with gaps, refunds, ties and owners."""
    rng = random.Random(seed)
    npis = list(range(FIRST_NPI, FIRST_NPI + providers))
    places = [
        (n, rng.choice(["A" * 10, "B" * 10, "C" * 10, None]), rng.choice(["TX", "NY", "WY", None]))
        for n in npis
    ]
    rows = []
    for npi in npis:
        size = rng.choice([1e3, 1e4, 1e5])
        for year in range(last_year - 3, last_year + 1):
            for program in ("Medicaid", "Medicare"):
                if rng.random() < 0.7:
                    dollars = round(size * rng.lognormvariate(0, 0.5), 2) * (-1 if rng.random() < 0.05 else 1)
                    claims = rng.choice([5, 150, 400, 900])
                    rows.append((npi, year, program, dollars, claims, rng.choice([None, 0, 40, 90])))
    owned = [
        (
            n,
            rng.random() < 0.05,
            rng.random() < 0.05,
            rng.random() < 0.1,
            rng.choice([None, 0.0, 33.25]),
            7,
            rng.randint(0, 3),
        )
        for n in npis
    ]
    return Population(
        payments(rows),
        pl.DataFrame(places, schema=REGISTRY, orient="row"),
        pl.DataFrame(owned, schema=FEATURES, orient="row"),
    )


def config(**sections: dict[str, object]) -> ProvidersConfig:
    """Config with peer groups small enough for tests."""
    peers = {"minimum": 3, "minimum_claims": 100} | sections.pop("peers", {})
    return ProvidersConfig.model_validate({"peers": peers} | sections)


def score_stage(settings: ProvidersConfig) -> ScoreStage:
    return ScoreStage(**{name: getattr(settings, name) for name in ScoreStage.model_fields})


@dataclass(frozen=True)
class Run:
    """What a run leaves behind."""

    metrics: pl.DataFrame
    reference: pl.DataFrame
    distribution: pl.DataFrame
    scores: pl.DataFrame
    programs_in_data: int

    def row(self, npi: int) -> dict[str, object]:
        return self.scores.row(by_predicate=pl.col("npi") == npi, named=True)


def scored(
    population: Population,
    settings: ProvidersConfig | None = None,
    *,
    shards: int = 1,
    bucket: dict[int, int] | None = None,
    stored: Run | None = None,
) -> Run:
    """Run metrics → reference → score per shard → merge → rank; `stored`: use that run's references."""
    settings = settings or config()
    method, year = method_of(settings.scoring, settings.peers), settings.scoring.date.year
    window = settings.components.window_years
    paid = population.payments.lazy()
    metrics = yearly_metrics(paid, population.registry.lazy(), last_year=year, window_years=window)
    newest = settings.components.concentration_years
    in_data = stored.programs_in_data if stored else population.payments["program"].n_unique()
    programs = program_totals(
        paid, last_year=year, window_years=window, newest_years=newest, programs_in_data=in_data
    )
    reference = stored.reference if stored else peer_reference(metrics, method)
    percentiles = billing_percentiles(metrics, stored.metrics if stored else metrics, reference, method)
    npis = population.registry["npi"].to_list()
    bucket = bucket or {npi: index % shards for index, npi in enumerate(npis)}
    parts, planned = {}, {}
    for number in sorted(set(bucket.values())):
        own = pl.col("npi").is_in([npi for npi, place in bucket.items() if place == number])
        owned = population.features.select("npi", is_owned=pl.col("ownership_risk").is_not_null())
        universe = population.registry.filter(own).join(owned, on="npi", how="left")
        planned[str(number)] = universe.height
        parts[str(number)] = score_shard(
            metrics.filter(own),
            programs.filter(own),
            population.features.filter(own).with_columns(pl.col("ownership_risk").fill_null(0.0)),
            universe,
            reference,
            score_stage(settings),
        )
    merged = merged_shards(parts, planned)
    distribution = stored.distribution if stored else score_distribution(merged)
    scores = merged.join(placed(merged, percentiles, distribution, settings.tiers), on="npi")
    return Run(metrics, reference, distribution, scores, in_data)
