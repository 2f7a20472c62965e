"""What made scores change between two runs: data, peers, method, or weights.

Every provider is scored again under each combination of the two runs' inputs; a factor's effect is its Shapley
value over them, so the effects add up exactly to the change and no order of the factors is preferred.
Data are payments, registry and graph features; peers are the peer statistics; method is the formulas with their
shapes and ladder; weights are the component weights. Source: Shapley, "A value for n-person games" (1953).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import ValidationError

from riskflow import artifacts
from riskflow.attribution import FloatArray, attributed, shapley_matrix
from riskflow.config.base import nested_values
from riskflow.config.providers import DecomposeStage, ScoreStage
from riskflow.contracts.providers_scores import CHANGES, FACTORS, GROUP_CHANGES, METRICS, PROGRAMS, REFERENCE
from riskflow.contracts.providers_sources import FEATURES
from riskflow.contracts.providers_universe import UNIVERSE
from riskflow.errors import RiskflowError
from riskflow.providers.group_changes import group_changes
from riskflow.providers.method import Method, method_of
from riskflow.providers.rank import risk_scores, score_distribution
from riskflow.providers.reference import peer_reference
from riskflow.providers.score import raw_scores
from riskflow.receipts import Receipt, load
from riskflow.sharding import planned_files, shard_rows

MEASURED = ("r_raw", "risk_score")
TOLERANCE = 1e-9
_SLICES = 8  # providers are scored in this many parts, so that a whole country fits in memory


@dataclass(frozen=True)
class RunInputs:
    """Everything that one run's scores follow from; `features` and `universe` cover all its shards."""

    metrics: pl.DataFrame
    programs: pl.DataFrame
    features: pl.DataFrame
    universe: pl.DataFrame
    reference: pl.DataFrame
    config: ScoreStage

    @cached_property
    def method(self) -> Method:
        """The run's scoring method."""
        return method_of(self.config.scoring, self.config.peers)

    def reference_for(self, method: Method) -> pl.DataFrame:
        """Return the peer statistics of this run's population, under its own method or another."""
        return self.reference if method == self.method else peer_reference(self.metrics, method)

    def same_data(self, other: RunInputs) -> bool:
        """Whether both runs scored the same rows; the hash of the graph they came from does not count."""
        known = ["npi", "taxonomy", "state", "is_owned"]
        mine = (self.metrics, self.programs, self.universe.select(known), _plain(self.features))
        theirs = (other.metrics, other.programs, other.universe.select(known), _plain(other.features))
        return all(a.equals(b, null_equal=True) for a, b in zip(mine, theirs, strict=True))


def decomposed(before: RunInputs, after: RunInputs) -> pl.DataFrame:
    """Return one row per NPI of either run (contract CHANGES): r_raw and risk_score, split over the FACTORS.

    status: both (scored in both runs and in every combination between), entered, left, or not comparable
    (in both runs, but without a score in some combination); only `both` has effects. Raises RiskflowError when
    the effects of any provider do not add up to its change within 1e-9.
    """
    factors = changed_factors(before, after)
    runs = [_scores_under(before, after, _newer(mask, factors)) for mask in range(2 ** len(factors))]
    npis = pl.concat([run.select("npi") for run in (runs[0], runs[-1])]).unique().sort("npi")
    aligned = [npis.join(run, on="npi", how="left", maintain_order="left") for run in runs]
    comparable = ~pl.Series(np.logical_or.reduce([run["r_raw"].is_null().to_numpy() for run in aligned]))
    frame = npis.with_columns(_status(aligned[0], aligned[-1], comparable))
    for measure in MEASURED:
        values = np.stack([run[measure].cast(pl.Float64).fill_null(0.0).to_numpy() for run in aligned])
        effects = _effects(values, factors, comparable.to_numpy())
        change = pl.Series(values[-1] - values[0])
        frame = frame.with_columns(
            aligned[0][measure].alias(f"{measure}_before"),
            aligned[-1][measure].alias(f"{measure}_after"),
            pl.when(comparable).then(change).alias(f"{measure}_change"),
            *(pl.when(comparable).then(pl.Series(effects[f])).alias(f"{measure}_{f}") for f in FACTORS),
        )
    return frame.select(list(CHANGES.schema))


def changed_factors(before: RunInputs, after: RunInputs) -> tuple[str, ...]:
    """Return the factors that differ between two runs; the others cannot have an effect."""
    methods = (before.method, after.method)
    old, new = before.config, after.config
    changed = {
        "data": not before.same_data(after),
        "peers": any(
            not before.reference_for(m).equals(after.reference_for(m), null_equal=True) for m in methods
        ),
        "method": (old.scoring.method, old.components, old.peers)
        != (new.scoring.method, new.components, new.peers),
        "weights": old.weights != new.weights,
    }
    return tuple(name for name in FACTORS if changed[name])


def run(
    *,
    metrics: Path,
    programs: Path,
    features: Path,
    plan: Path,
    universe: Path,
    reference: Path,
    before: Path,
    changes: Path,
    groups: Path,
    config: DecomposeStage,
) -> Receipt:
    """Write what changed since an earlier run; `before` is its results folder, `features` a folder of this run's.

    The earlier run's config is taken from the receipt of its first scored shard.
    """
    now = ScoreStage(**{name: getattr(config, name) for name in ScoreStage.model_fields})
    later = _inputs(metrics, programs, planned_files(features, plan), universe, reference, now)
    earlier = earlier_inputs(before)
    frame = decomposed(earlier, later)
    by_group = group_changes(frame, earlier.universe, later.universe, config.tiers)
    artifacts.write(frame, changes, CHANGES)
    artifacts.write(by_group, groups, GROUP_CHANGES)
    counts = frame.group_by("status").len().sort("status")
    facts = {"changed": list(changed_factors(earlier, later))}
    return Receipt(counts={name.replace(" ", "_"): n for name, n in counts.iter_rows()}, facts=facts)


def earlier_inputs(folder: Path) -> RunInputs:
    """Return what the scores in another run's results folder follow from."""
    plan = folder / "plan.json"
    if not plan.exists():
        raise RiskflowError(
            f"{folder} holds no complete run: plan.json is not there",
            "set providers.previous.run to the results/providers folder of a finished run",
        )
    receipt = load(folder / "receipts" / "score" / f"{min(shard_rows(plan))}.json")
    names = ("metrics", "programs", "universe", "reference")
    paths = {name: folder / f"{name}.parquet" for name in names}
    features = planned_files(folder / "features", plan)
    return _inputs(
        paths["metrics"],
        paths["programs"],
        features,
        paths["universe"],
        paths["reference"],
        recorded_config(receipt),
    )


def _inputs(
    metrics: Path, programs: Path, features: list[Path], universe: Path, reference: Path, config: ScoreStage
) -> RunInputs:
    return RunInputs(
        artifacts.read(metrics, METRICS),
        artifacts.read(programs, PROGRAMS),
        pl.concat(artifacts.read(path, FEATURES) for path in features),
        artifacts.read(universe, UNIVERSE),
        artifacts.read(reference, REFERENCE),
        config,
    )


def recorded_config(receipt: Receipt) -> ScoreStage:
    """Return the config that a receipt of the score stage recorded."""
    prefix = "config."
    leaves = {
        key.removeprefix(prefix): text for key, text in receipt.params.items() if key.startswith(prefix)
    }
    try:
        return ScoreStage.model_validate(nested_values(leaves))
    except ValidationError as error:
        raise RiskflowError(
            f"decompose: the earlier run's receipt has no config that this version understands "
            f"({error.error_count()} faults)",
            "run the earlier data again with this version, or leave providers.previous.run empty",
        ) from None


def _plain(features: pl.DataFrame) -> pl.DataFrame:
    return features.drop("graph_hash", strict=False).sort("npi")


def _newer(mask: int, factors: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for bit, name in enumerate(factors) if mask >> bit & 1)


def _scores_under(before: RunInputs, after: RunInputs, newer: frozenset[str]) -> pl.DataFrame:
    """Return npi, r_raw and risk_score with the factors in `newer` taken from the later run."""

    def source(factor: str) -> RunInputs:
        return after if factor in newer else before

    data, rules = source("data"), source("method")
    config = rules.config.model_copy(update={"weights": source("weights").config.weights})
    reference = source("peers").reference_for(rules.method)
    tables = (data.metrics, data.programs, data.features, data.universe)
    parts = []
    for number in range(_SLICES):
        mine = [table.filter(pl.col("npi") % _SLICES == number) for table in tables]
        parts.append(raw_scores(mine[0], mine[1], mine[2], mine[3], reference, config))
    raw = pl.concat(parts).sort("npi")
    scores = risk_scores(raw, score_distribution(raw)).drop("rank")
    return raw.join(scores, on="npi", how="left", maintain_order="left")


def _effects(
    values: FloatArray, factors: tuple[str, ...], comparable: NDArray[np.bool_]
) -> dict[str, FloatArray]:
    """Return factor → effects, checked to add up to the change; factors that did not change have zeros."""
    effects = {name: np.zeros(values.shape[1]) for name in FACTORS}
    if factors:
        split = attributed(shapley_matrix(len(factors)), values)
        effects |= dict(zip(factors, split, strict=True))
    gap = np.abs(sum(effects.values()) - (values[-1] - values[0]))[comparable]
    if gap.size and not gap.max() <= TOLERANCE:
        raise RiskflowError(
            f"decompose: the effects of {int((gap > TOLERANCE).sum())} providers do not add up to their change",
            "this is a fault of the program; please report it with both runs' receipts",
        )
    return effects


def _status(before: pl.DataFrame, after: pl.DataFrame, comparable: pl.Series) -> pl.Expr:
    was, now = before["r_raw"].is_not_null(), after["r_raw"].is_not_null()
    return (
        pl.when(comparable)
        .then(pl.lit("both"))
        .when(now & ~was)
        .then(pl.lit("entered"))
        .when(was & ~now)
        .then(pl.lit("left"))
        .otherwise(pl.lit("not comparable"))
        .alias("status")
    )
