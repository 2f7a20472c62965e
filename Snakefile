"""riskflow: raw US health-care payer data in, validated and explainable risk analytics out."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/providers.smk"


report: "workflow/report/workflow.rst"


localrules:
    all,
    providers,


rule all:
    default_target: True
    input:
        [f"{RESULTS}/{track}/report.html" for track in CONFIG.tracks],
        [f"{RESULTS}/{track}/receipts/publish.json" for track in CONFIG.tracks],


rule providers:
    input:
        f"{RESULTS}/providers/report.html",
        f"{RESULTS}/providers/receipts/publish.json",
