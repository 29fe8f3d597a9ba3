# Everything is installed into .venv, which `make setup` builds from requirements.lock.
# The only prerequisites are Python 3.11-3.13 and make.

HOST ?= 127.0.0.1
PORT ?= 8866
APP_FLAGS ?=
PYTHON ?=
PYTEST_FLAGS ?=

BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup app test test-long lint format lock bench clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## Build .venv (PYTHON=/path/to/python chooses another interpreter)

# Runs again only if a list of packages or a copied file has changed.
$(READY): requirements.lock pyproject.toml $(shell find share -type f)
	@PYTHON='$(PYTHON)' sh scripts/setup.sh
	@touch $@

app: setup  ## Open the page (PORT=8866 HOST=127.0.0.1 APP_FLAGS=--token)
	@$(BIN)/nanoconf app --host '$(HOST)' --port '$(PORT)' $(APP_FLAGS)

test: setup  ## Run all tests, including the browser tests (PYTEST_FLAGS='-k name')
	@sh scripts/test_tools.sh
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_FLAGS)

test-long: setup  ## Run the slow tests (up to half an hour each)
	@sh scripts/test_tools.sh
	@$(BIN)/python -m pytest -m long $(PYTEST_FLAGS)

lint: setup  ## Check style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup  ## Format the code and fix lint errors
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Keeps locked versions where possible; LOCK_FLAGS=--upgrade takes the newest.
lock: setup  ## Generate requirements.lock from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
		--generate-hashes --custom-compile-command 'make lock' $(LOCK_FLAGS) \
		--extra dev pyproject.toml --output-file requirements.lock

bench: setup  ## Benchmark the engine against LAMMPS
	@$(BIN)/python -m benchmarks

clean:  ## Remove .venv, caches and build products (never runs or models)
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache test-results *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -prune -exec rm -rf {} +
