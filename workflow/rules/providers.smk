"""Providers: registry, payments, exclusions and ownership in; a risk score per NPI, explained, out."""

P = f"{RESULTS}/providers"
TABLES = ("registry", "payments", "exclusions", "ownership")
DELTA = CONFIG.providers.delta
PREVIOUS = CONFIG.providers.previous
# A delta run has no population of its own to attribute a change of ranks to.
COMPARED = bool(PREVIOUS.run) and not DELTA.reference
# The receipts that say what a run was: those of the global stages, and of one shard.
RUN_RECEIPTS = [
    *(f"ingest_{table}" for table in TABLES),
    *(
        "universe",
        "exclusions",
        "graph",
        "metrics",
        "reference",
        "merge",
        "percentiles",
        "rank",
        "explain",
    ),
    *("features/0000", "score/0000"),
]

if CONFIG.providers.graph.backend == "neo4j":

    include: "providers_neo4j.smk"


include: "providers_sources.smk"
include: "providers_scoring.smk"
include: "providers_results.smk"
