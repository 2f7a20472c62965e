# `make run` and `make test` do all the set-up; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= 2
SETUP := $(VENV)/.ready
SETUP_DEV := $(VENV)/.ready-dev

.DEFAULT_GOAL := help
.PHONY: help run test test-all lint format bench config services clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(SETUP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("riskflow needs Python 3.11 or newer: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned requirements into $(VENV) (a minute or two, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(SETUP_DEV): $(SETUP) requirements-cloud.txt requirements-dev.txt
	@echo "installing test requirements into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-cloud.txt -r requirements-dev.txt
	@touch $@

run: $(SETUP) ## generate the demo and run every track; ends with the files to open
	@$(BIN)/snakemake --cores $(CORES) --quiet rules progress host
	@$(BIN)/riskflow summary

test: $(SETUP_DEV) ## the default test suite
	@$(BIN)/python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

test-all: $(SETUP_DEV) ## every test, the slow ones too
	@$(BIN)/python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(SETUP_DEV) ## format check, lint, types, snakefmt, snakemake --lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/snakemake --lint

format: $(SETUP_DEV) ## format Python and rules
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/snakefmt Snakefile workflow

bench: $(SETUP_DEV) ## measure; results go to benchmarks/out and docs/benchmarks.md
	@$(BIN)/python -m benchmarks

config: $(SETUP) ## write config.yaml, schema.json and docs/config.md from the models
	@$(BIN)/riskflow config write

services: ## install the servers that the tests know (Debian, as root): Neo4j, PostgreSQL, SLURM, S3
	@services/install.sh

clean: ## remove results, keep the environment
	@rm -rf results .snakemake
