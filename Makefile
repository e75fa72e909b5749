# Every target works on a fresh machine with Python >= 3.11 (with venv), make, and a network to the
# package registries. `make demo` and `make test` are the two to start with.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python
DEMO_HOME ?= $(CURDIR)/demo
# three workers on two cores: a third of the time goes into waiting for disks and servers
PYTEST_FLAGS ?= -n 3 --dist loadfile --no-loadscope-reorder
FAULT_FLAGS ?= -n2 --dist=load
export NO_MKDOCS_2_WARNING := 1
# Containers often set this; every process would then compile again what it imports (2-3 s each).
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup tools demo test faults long serve lab check format bench docs screenshots migration clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.ready  ## make .venv with everything from the lock file

.venv/.ready: uv.lock pyproject.toml
	@echo "Setting up .venv (the first time this downloads about 400 MB)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(RUN) -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@# a second try with the certificates of the system, for networks behind a proxy of their own
	@$(BIN)/uv sync --frozen --quiet --compile-bytecode 2>/dev/null \
		|| $(BIN)/uv sync --frozen --quiet --compile-bytecode --system-certs
	@touch $@

tools: setup  ## install what the tests need beyond Python (Chromium, PostgreSQL, Node)
	@$(RUN) scripts/tools.py

demo: setup  ## run everything once on sample data and show what it made
	@COACHOPS_HOME=$(DEMO_HOME) $(BIN)/coachops demo $(ARGS)

test: setup tools docs  ## run the whole test suite
	@$(BIN)/pytest $(PYTEST_FLAGS) $(ARGS)

serve: setup docs  ## the running suite on http://localhost:8000
	@$(BIN)/coachops init && exec $(BIN)/coachops serve $(ARGS)

lab: setup  ## JupyterLab on the analyst notebooks
	@$(BIN)/coachops init && exec $(BIN)/coachops lab $(ARGS)

check: setup  ## format, lint, types, layers, notebooks, docs: the quick gate
	@$(RUN) scripts/check.py

format: setup  ## bring code and notebooks into shape
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .
	@git ls-files '*.ipynb' | xargs -r $(BIN)/nbstripout

faults: setup tools docs  ## inject every fault of the matrix and print how many were survived
	@$(RUN) scripts/faults.py $(FAULT_FLAGS) $(ARGS)

long: setup tools docs  ## what is too long for the suite: further variants, more rounds
	@COACHOPS_FAULT_RUNS=long $(BIN)/pytest $(FAULT_FLAGS) -m "long and not faults" --timeout=1800 $(ARGS)

bench: setup  ## the benchmarks, each against a peer in the same run
	@$(RUN) -m benchmarks $(ARGS)

docs: setup  ## build the guide into build/site
	@$(RUN) scripts/reference.py && $(BIN)/mkdocs build --strict --quiet

screenshots: setup tools docs  ## take the pictures of the README from the running suite
	@$(RUN) scripts/screenshots.py

migration: setup  ## write a migration from the change of the models: make migration m="..."
	@$(RUN) scripts/new_migration.py "$(m)"

clean:  ## remove what the targets made, but not var/ (your data)
	@rm -rf .venv build demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
