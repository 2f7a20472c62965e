"""Stage: run the scenarios of a definitions file and decompose the change between them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from riskflow import artifacts
from riskflow.config.members_runs import MembersDecomposeStage, MembersDecompositionSection
from riskflow.contracts.members_runs import DECOMPOSITION, DEFINITIONS, RUN, SCENARIOS
from riskflow.contracts.members_scores import SCORES
from riskflow.contracts.members_sources import DIAGNOSES, DRUGS, SPANS
from riskflow.errors import RiskflowError
from riskflow.members.compare import member_scores
from riskflow.members.decompose import (
    EFFECTS,
    Step,
    factorial,
    factorial_moments,
    marginal,
    sequential,
    turnover,
)
from riskflow.members.definitions import DecompositionDefinition, Definitions, load
from riskflow.members.earlier import stored_run
from riskflow.members.engine.eligibility import eligible_codes, with_eligibility
from riskflow.members.factorial import Scenario, expanded, scenario_of
from riskflow.members.moments import MemberIndex, Options, member_index
from riskflow.members.record import identity_row
from riskflow.members.registry import RunIdentity
from riskflow.members.scenarios import DataSet, ScenarioScores
from riskflow.members.segments import member_segments
from riskflow.members.tables.load import TableSet, folder
from riskflow.members.tables.load import load as load_tables
from riskflow.provenance import fingerprint
from riskflow.receipts import Receipt

_SEGMENT_COLUMNS = ["member_id", "span_id", "metal", "age_last", "state", "member_months"]


@dataclass(frozen=True)
class Result:
    """Rows of the DECOMPOSITION and SCENARIOS contracts, and the identities of the scenario runs."""

    effects: pl.DataFrame
    scenarios: pl.DataFrame
    runs: list[RunIdentity]


class ExistingRuns:
    """Scored runs by name: those of this workflow, by id or by the folder of their data set, else the warehouse's."""

    def __init__(self, files: Mapping[str, tuple[str, Path]], warehouse: Path | None = None) -> None:
        """`files`: run id, or name of a data set's run → run id and SCORES artifact."""
        self._files, self._warehouse = files, warehouse
        self._stored: dict[str, tuple[str, pl.DataFrame]] = {}

    def run_id(self, name: str) -> str:
        """Return the id of the run that a name stands for."""
        return self._files[name][0] if name in self._files else self._looked_up(name)[0]

    def scores(self, name: str, columns: list[str]) -> pl.DataFrame:
        """Return columns of a run's scores."""
        if name in self._files:
            return artifacts.read(self._files[name][1], SCORES, columns)
        return self._looked_up(name)[1].select(columns)

    @property
    def stored_ids(self) -> list[str]:
        """The ids of the runs that were looked up in the warehouse."""
        return sorted({run_id for run_id, _ in self._stored.values()})

    def _looked_up(self, name: str) -> tuple[str, pl.DataFrame]:
        if name not in self._stored:
            if self._warehouse is None:
                known = ", ".join(sorted(self._files)) or "none"
                raise RiskflowError(f"a scenario names the run {name}", f"there are: {known}")
            identity, scores = stored_run(self._warehouse, name)
            self._stored[name] = identity["run_id"].item(), scores
        return self._stored[name]


class ScenarioRuns:
    """Makes or looks up the scored spans of scenarios, and tells the id of each run."""

    def __init__(
        self, made: ScenarioScores, existing: ExistingRuns, year: int, code: Mapping[str, str]
    ) -> None:
        self._made, self._existing, self._year, self._code = made, existing, year, code

    def member_scores(self, scenario: Scenario, score: str) -> pl.DataFrame:
        """Return the scores of a scenario's members, as compare.member_scores."""
        if "run" in scenario.settings:
            columns = ["member_id", "span_id", "member_months", score]
            return member_scores(self._existing.scores(scenario.settings["run"], columns), score)
        return self._made.member_scores(scenario.settings, score)

    def people(self, scenario: Scenario) -> pl.DataFrame:
        """Return the segments of a scenario's members, without scoring them."""
        if "run" in scenario.settings:
            return member_segments(self._existing.scores(scenario.settings["run"], _SEGMENT_COLUMNS))
        return member_segments(self._made.people(scenario.settings))

    def run_id(self, scenario: Scenario) -> str:
        """Return the id of the run that a scenario stands for."""
        identity = self.identity(scenario)
        return identity.run_id if identity else self._existing.run_id(scenario.settings["run"])

    def identity(self, scenario: Scenario) -> RunIdentity | None:
        """Return the identity of a run that the workflow makes; none for an existing run."""
        if "run" in scenario.settings:
            return None
        return RunIdentity(
            analysis_type="scoring",
            model_version=self._made.model_version(scenario.settings),
            benefit_year=self._year,
            inputs=self._made.digests(scenario.settings),
            code=self._code,
            config={**scenario.settings, "tables": self._made.tables_used(scenario.settings)},
        )


def decomposed(
    definition: DecompositionDefinition,
    all_of: Definitions,
    runs: ScenarioRuns,
    section: MembersDecompositionSection,
) -> Result:
    """Return the effects of one definition and its scenarios."""
    options = Options(
        metric=definition.metric,
        weight=definition.weight,
        replicates=definition.replicates,
        buckets=section.buckets,
        level=definition.level,
        seed=section.seed,
    )
    scenarios = _scenarios(definition, all_of)
    index = member_index(
        [runs.people(one) for one in _ends(definition, scenarios)], list(definition.segments)
    )
    told = _Told(definition, runs, options)
    if definition.factors:
        makers = [told.scored(place, one, section.score) for place, one in enumerate(scenarios)]
        values = factorial_moments(makers, index, options, _thrifty_order(scenarios))
        names = [factor.name for factor in definition.factors]
        grid = definition.method == "grid"
        effects = pl.DataFrame(schema=EFFECTS) if grid else factorial(values, names, index, options)
    else:
        frames = {one.name: told.scored(place, one, section.score)() for place, one in enumerate(scenarios)}
        effects = _between(definition, frames, index, options)
    named = effects.select(pl.lit(definition.name).alias("name"), *EFFECTS)
    return Result(named, pl.DataFrame(told.rows, schema=SCENARIOS.schema, orient="row"), told.runs)


class _Told:
    """Scores scenarios one after the other and keeps a row about each."""

    def __init__(self, definition: DecompositionDefinition, runs: ScenarioRuns, options: Options) -> None:
        self._name, self._source, self._options = definition.name, runs, options
        self.rows: list[tuple[object, ...]] = []
        self.runs: list[RunIdentity] = []

    def scored(self, position: int, scenario: Scenario, score: str) -> Callable[[], pl.DataFrame]:
        """Return what makes a scenario's member scores and notes its row."""

        def make() -> pl.DataFrame:
            frame = self._source.member_scores(scenario, score)
            self._note(position, scenario, frame)
            return frame

        return make

    def _note(self, position: int, scenario: Scenario, frame: pl.DataFrame) -> None:
        identity = self._source.identity(scenario)
        if identity is not None:
            self.runs.append(identity)
        run_id = self._source.run_id(scenario)
        settings = json.dumps(dict(scenario.settings), sort_keys=True)
        months = frame["member_months"].to_numpy()
        weight = months if self._options.weight == "member_months" else months * 0 + 1
        total = float((frame["score"].to_numpy() * weight).cumsum()[-1]) if frame.height else 0.0
        value = total if self._options.metric == "sum" else total / float(weight.sum())
        self.rows.append(
            (
                self._name,
                position,
                scenario.name,
                run_id,
                settings,
                frame.height,
                float(months.sum()),
                value,
            )
        )


def _scenarios(definition: DecompositionDefinition, all_of: Definitions) -> list[Scenario]:
    if definition.factors:
        return expanded(definition)
    names = dict.fromkeys(
        [definition.baseline, *(step.scenario for step in definition.steps), definition.actual]
    )
    return [scenario_of(name, all_of.scenarios[name]) for name in names]


def _ends(definition: DecompositionDefinition, scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Return the scenarios that together have all members: of the same enrolment, one is enough.

    The actual comes last, as a member's segments are those of the last one that has the member.
    """
    by_people: dict[str, Scenario] = {}
    for one in scenarios:
        key = json.dumps({k: one.settings.get(k) for k in ("run", "enrolment")})
        by_people.pop(key, None)
        by_people[key] = one
    return list(by_people.values())


def _thrifty_order(scenarios: Sequence[Scenario]) -> list[int]:
    """Return the order in which neighbours share most of what they are made of."""
    costly = ("run", "enrolment", "model", "diagnoses", "drugs", "csr")
    return sorted(
        range(len(scenarios)), key=lambda i: [scenarios[i].settings.get(name, "") for name in costly]
    )


def _between(
    definition: DecompositionDefinition,
    frames: Mapping[str, pl.DataFrame],
    index: MemberIndex,
    options: Options,
) -> pl.DataFrame:
    ends = definition.baseline, definition.actual
    if definition.method == "turnover":
        return turnover(frames, *ends, index, options)
    steps = [Step(step.name, step.scenario, step.population) for step in definition.steps]
    method = sequential if definition.method == "sequential" else marginal
    return method(frames, ends[0], steps, ends[1], index, options, definition.population)


def run(
    *,
    spans: list[Path],
    diagnoses: list[Path],
    drugs: list[Path],
    runs: list[Path],
    scores: list[Path],
    tables: list[Path],
    definitions: Path,
    program: Path,
    output: Path,
    definitions_output: Path,
    scenarios_output: Path,
    run_output: Path,
    config: MembersDecomposeStage,
    eligible: Path | None = None,
    warehouse_file: Path | None = None,
) -> Receipt:
    """Write effects, definitions, scenarios and run identities of every decomposition in the definitions file.

    A data set is called by the folder of its tables (`spans`, `diagnoses`, `drugs` in one order); `runs` and
    `scores`, in one order, are the scored runs that scenarios may name by id or by the folder of the run. `tables`
    names a file of any CMS set; the other sets lie beside it. `eligible`: the user's list of eligible codes.
    Other runs that a scenario names are looked up in the warehouse.
    """
    wanted = load(definitions)
    data = _data_sets(spans, diagnoses, drugs, eligible)
    year = max(one.year for one in data.values())
    root = tables[0].parent.parent
    made = ScenarioScores(data, year, lambda of_year, vintage: _tables(root, of_year, vintage))
    code = fingerprint(program)
    existing = ExistingRuns(_run_files(runs, scores), warehouse_file)
    source = ScenarioRuns(made, existing, year, code)
    results = [decomposed(one, wanted, source, config.decomposition) for one in wanted.decompositions]
    identity = _identity(data, existing.stored_ids, wanted, year, code, config, results)
    artifacts.write(_stacked([r.effects for r in results], DECOMPOSITION.schema), output, DECOMPOSITION)
    artifacts.write(_definition_rows(wanted), definitions_output, DEFINITIONS)
    artifacts.write(_stacked([r.scenarios for r in results], SCENARIOS.schema), scenarios_output, SCENARIOS)
    identities = {one.run_id: one for result in results for one in result.runs} | {identity.run_id: identity}
    artifacts.write(pl.concat([identity_row(one, None) for one in identities.values()]), run_output, RUN)
    broken = sum(result.effects.filter(~pl.col("identity_holds")).height for result in results)
    return Receipt(
        counts={"decompositions": len(results), "scenarios": sum(r.scenarios.height for r in results)},
        facts={"run_id": identity.run_id, "effects_without_identity": broken},
    )


def _data_sets(
    spans: Sequence[Path], diagnoses: Sequence[Path], drugs: Sequence[Path], eligible: Path | None
) -> dict[str, DataSet]:
    codes = eligible_codes(eligible) if eligible else None
    found = {}
    for people, claims, fills in zip(spans, diagnoses, drugs, strict=True):
        frame = artifacts.read(people, SPANS)
        digests = {
            name: artifacts.content_digest(path)
            for name, path in (("spans", people), ("diagnoses", claims), ("drugs", fills))
        }
        found[people.parent.name] = DataSet(
            int(frame["enrolment_start"].dt.year().max()),  # type: ignore[arg-type]
            frame,
            with_eligibility(artifacts.read(claims, DIAGNOSES), codes),
            artifacts.read(fills, DRUGS),
            digests,
        )
    return found


def _run_files(runs: Sequence[Path], scores: Sequence[Path]) -> dict[str, tuple[str, Path]]:
    found = {}
    for run_path, score_path in zip(runs, scores, strict=True):
        run_id = artifacts.read(run_path, RUN)["run_id"][0]
        found[run_id] = found[run_path.parent.name] = run_id, score_path
    return found


def _tables(root: Path, year: int, vintage: str) -> TableSet:
    return load_tables(folder(year, vintage, root))


def _identity(
    data: Mapping[str, DataSet],
    stored: Sequence[str],
    definitions: Definitions,
    year: int,
    code: Mapping[str, str],
    config: MembersDecomposeStage,
    results: Sequence[Result],
) -> RunIdentity:
    inputs = {
        f"{name}.{table}": digest for name, one in data.items() for table, digest in one.digests.items()
    } | {f"run.{number}": run_id for number, run_id in enumerate(stored)}
    versions = sorted({one.model_version for result in results for one in result.runs})
    return RunIdentity(
        analysis_type="decomposition",
        calculator="riskflow.members.decompose",
        model_version=", ".join(versions) or "of the runs named",
        benefit_year=year,
        inputs=inputs,
        code=code,
        config={
            **config.decomposition.model_dump(mode="json"),
            "definitions": definitions.model_dump(mode="json"),
        },
    )


def _definition_rows(definitions: Definitions) -> pl.DataFrame:
    rows = [
        (
            one.name,
            one.description,
            one.method,
            one.metric,
            one.weight,
            one.population,
            (scenarios := _scenarios(one, definitions))[0].name,
            scenarios[-1].name,
            json.dumps(one.model_dump(mode="json"), sort_keys=True),
        )
        for one in definitions.decompositions
    ]
    return pl.DataFrame(rows, schema=DEFINITIONS.schema, orient="row")


def _stacked(
    frames: Sequence[pl.DataFrame], schema: Mapping[str, pl.DataType | type[pl.DataType]]
) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=schema), *frames])
