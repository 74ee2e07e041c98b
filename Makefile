.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

help:  ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(INSTALLED): pyproject.toml uv.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --quiet --locked --inexact --all-extras
	@touch $@

install: $(INSTALLED)  ## Make the virtual environment in .venv, exactly as locked

demo: $(INSTALLED)  ## Run the whole loop on a real stream, or on yours: DATA=rows.csv [LABEL=column]
	@$(BIN)/driftline demo $(if $(DATA),--data '$(DATA)') $(if $(LABEL),--label '$(LABEL)') $(ARGS)

test: $(INSTALLED)  ## Run all tests, on a real Kafka and a real Redis that they start
	$(BIN)/python -m pytest $(ARGS)

unit: $(INSTALLED)  ## Run the quick tests, and report the branch coverage of core and schemas
	$(BIN)/python -m pytest -q tests/unit/core tests/contracts -m "not integration" --cov --cov-report=term $(ARGS)
	$(BIN)/python -m pytest -q tests/unit --ignore=tests/unit/core -m "not integration" $(ARGS)

lint: $(INSTALLED)  ## Check style and import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(INSTALLED)  ## Check types
	$(BIN)/mypy

schemas: $(INSTALLED)  ## Write the JSON Schemas anew
	$(BIN)/python -m driftline_schemas.json_schemas

reference: $(INSTALLED)  ## Write the pages of docs/reference anew, from the code
	$(BIN)/python -m docs.generate

load: $(INSTALLED)  ## Measure throughput beside raw aiokafka, latencies and memory (five minutes)
	@$(BIN)/python -m loadtests $(ARGS)

.PHONY: help install demo test unit lint types schemas reference load

secrets:  ## Write random tokens into deploy/secrets, for docker compose
	@deploy/make-secrets

check-deploy: $(INSTALLED)  ## Check Dockerfile, compose file and Prometheus rules with the tools that are here
	@deploy/check

dashboards: $(INSTALLED)  ## Ask the Prometheus of a running docker compose every query of dashboard and rules
	@$(BIN)/python -m tests.dashboards $(ARGS)

.PHONY: secrets check-deploy dashboards
