"""Measure a 32-run Shapley decomposition (model, cost sharing, enrolment, diagnoses, drugs), scoring included.

python benchmarks/members_decompose.py --members 1000000 --output benchmarks/out/members_decompose.json
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path

from riskflow.config.members_runs import MembersDecompositionSection
from riskflow.members.decomposition import ExistingRuns, ScenarioRuns, decomposed
from riskflow.members.definitions import load
from riskflow.members.demo import DemoSpec, generate
from riskflow.members.ingest import validated_spans
from riskflow.members.ingest_evidence import validated_diagnoses, validated_drugs
from riskflow.members.ingest_sources import DIAGNOSES_SHAPE, DRUGS_SHAPE, SPANS_SHAPE, typed
from riskflow.members.scenarios import DataSet, ScenarioScores
from riskflow.members.tables.load import folder
from riskflow.members.tables.load import load as load_tables

YEARS = {"prior": 2024, "current": 2025}
DEFINITIONS = Path(__file__).parents[1] / "config" / "members_decompositions.yaml"


def data_set(members, year):
    demo = generate(DemoSpec(members, 7, year, 0.004))
    started = time.perf_counter()
    spans = validated_spans(typed(demo.spans, {}, SPANS_SHAPE, "spans"), year).kept.sort(
        "member_id", "span_id"
    )
    diagnoses = validated_diagnoses(typed(demo.diagnoses, {}, DIAGNOSES_SHAPE, "diagnoses"), spans).kept
    drugs = validated_drugs(typed(demo.drugs, {}, DRUGS_SHAPE, "drugs"), spans).kept
    digests = dict.fromkeys(("spans", "diagnoses", "drugs"), "")
    return DataSet(year, spans, diagnoses, drugs, digests), time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=1_000_000)
    parser.add_argument("--name", default="five_factors")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    built = {name: data_set(arguments.members, year) for name, year in YEARS.items()}
    data = {name: one for name, (one, _) in built.items()}
    definitions = load(DEFINITIONS)
    chosen = next(one for one in definitions.decompositions if one.name == arguments.name)
    started, cpu = time.perf_counter(), time.process_time()
    made = ScenarioScores(data, 2025, lambda year, vintage: load_tables(folder(year, vintage)))
    result = decomposed(
        chosen, definitions, ScenarioRuns(made, ExistingRuns({}), 2025, {}), MembersDecompositionSection()
    )
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    measured = {
        "members": {name: one.spans["member_id"].n_unique() for name, one in data.items()},
        "diagnoses": {name: one.diagnoses.height for name, one in data.items()},
        "drugs": {name: one.drugs.height for name, one in data.items()},
        "runs": result.scenarios.height,
        "replicates": chosen.replicates,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "ingest_seconds": {name: round(spent, 2) for name, (_, spent) in built.items()},
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "cores": os.cpu_count(),
        "identity_holds": bool(result.effects["identity_holds"].all()),
    }
    print(json.dumps(measured, indent=1))
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
