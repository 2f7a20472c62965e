"""Providers: registry, payments, exclusions and ownership in; a risk score per NPI, explained, out."""

P = f"{RESULTS}/providers"
TABLES = ("registry", "payments", "exclusions", "ownership")
# What the workflow makes of each raw table: the demo's files, or what was exported from PostgreSQL.
FROM_POSTGRES = CONFIG.providers.source.kind == "postgres"
RAW = (
    {table: [f"{P}/source/{table}.parquet"] for table in TABLES}
    if FROM_POSTGRES
    else {
        "registry": [f"{P}/source/registry.csv"],
        "payments": [
            f"{P}/source/payments_release_1.csv.gz",
            f"{P}/source/payments_release_2.csv",
        ],
        "exclusions": [
            f"{P}/source/exclusions.csv",
            f"{P}/source/exclusions_supplement.csv",
        ],
        "ownership": [f"{P}/source/ownership.csv"],
    }
)
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

if FROM_POSTGRES:

    include: "providers_postgres.smk"


if CONFIG.providers.graph.backend == "neo4j":

    include: "providers_neo4j.smk"


# The warehouse is a file of one machine.
stays_here("providers_publish")


include: "providers_sources.smk"
include: "providers_scoring.smk"
include: "providers_results.smk"
