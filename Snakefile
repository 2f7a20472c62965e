"""riskflow: raw US health-care payer data in, validated and explainable risk analytics out."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/providers.smk"
include: "workflow/rules/members.smk"
include: "workflow/rules/notes.smk"
include: "workflow/rules/postgres.smk"


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


rule providers:
    input:
        FINAL["providers"],


rule members:
    input:
        FINAL["members"],


rule notes:
    input:
        FINAL["notes"],
