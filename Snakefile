"""riskflow: raw US health-care payer data in, validated and explainable risk analytics out."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"


# Only the tracks of the config: every start of Snakemake reads what is included.
for track in CONFIG.tracks:

    include: f"workflow/rules/{track}.smk"


if CONFIG.publish.postgres.enabled:

    include: "workflow/rules/postgres.smk"


include: "workflow/rules/unfinished.smk"


report: "workflow/report/workflow.rst"


localrules:
    all,
    providers,
    members,
    notes,


rule all:
    default_target: True
    input:
        [made for track in CONFIG.tracks for made in FINAL[track]],
        unfinished(*CONFIG.tracks),


rule providers:
    input:
        final("providers"),
        unfinished("providers"),


rule members:
    input:
        final("members"),
        unfinished("members"),


rule notes:
    input:
        final("notes"),
        unfinished("notes"),
