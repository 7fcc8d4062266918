PYTHON ?= python3
BUDGET ?= quick
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run reproduce test check bench clean

BIN := .venv/bin
READY := .venv/.ready

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything that is needed (PYTHON=python3.12 picks the interpreter)

run: $(READY) ## train and report one experiment (ARGS="depth=2,10 activation=relu,tanh")
	$(BIN)/relu-exp run $(ARGS)

reproduce: $(READY) ## run every experiment and report; better results stay (BUDGET=quick, standard or full)
	$(BIN)/relu-exp reproduce --budget $(BUDGET) $(ARGS)

test: $(READY) ## run the tests
	$(BIN)/pytest -n auto --dist loadgroup $(ARGS)

check: $(READY) ## check format, style, types and the layers of imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(READY) ## measure speed against peers (ARGS="--work W1 --ways fleet,plain,jax --rounds 3")
	$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove .venv and every cache; results stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# one resolution for torch and torchvision: a mixed pair does not import
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "relu-exp needs Python 3.11 or newer, and $(PYTHON) is not: make setup PYTHON=python3.12"; \
		exit 1; }
	$(PYTHON) -m venv .venv
	@echo "installing into .venv: takes a minute or two and 6 GB of disk"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)
