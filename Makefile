# `make` lists what can be made. Everything lives in .venv, made by pip alone; `make clean` removes it.

VENV ?= .venv
# Any build of torch will do; on a machine without a graphics card choose a CPU build: it is smaller by gigabytes.
TORCH ?= torch==2.13.0
BIN = $(VENV)/bin
# Many tests wait for processes and clocks: one more at a time than there are cores keeps these busy.
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
SPREAD ?= --numprocesses $(shell expr $(CORES) + 1) --maxprocesses 6 --dist worksteal
# Databases that are thrown away need no disk, where the memory for them is there.
SCRATCH ?= $(shell test -w /dev/shm && test "$$(df -Pk /dev/shm | awk 'NR == 2 { print $$4 }')" -gt 6000000 && echo /dev/shm)
SPREAD_TESTS = $(if $(SCRATCH),TMPDIR=$(SCRATCH)) $(BIN)/python -m pytest $(SPREAD)
PYTHON := $(shell for name in python3.11 python3 python3.14 python3.13 python3.12; do \
	"$$name" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$name; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help run demo test test-all soak screens check format bench docs migration wheel clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed-run  ## start the desk with config.toml (as shipped: a simulated shop, no account needed)
	@$(BIN)/social run

demo: $(VENV)/.installed-run  ## the same shop in a folder of its own that vanishes at the end
	@$(BIN)/social demo

test: $(VENV)/.installed-test  ## the tests that need nothing but Python (on PostgreSQL too, where its server programs are found)
	$(SPREAD_TESTS)

test-all: test $(VENV)-all/.installed  ## and those that need more: the real Bluesky servers (node, npm, PostgreSQL), torch, chromium, minutes
	$(VENV)-all/bin/python -m pytest -m "real or torch or slow or browser"

soak: $(VENV)/.installed-test  ## 10,000 posts and 200 kills on each database (figures: benchmarks/RESULTS.md), 20,000 cases a parser
	DYZUR_RESULTS=$${DYZUR_RESULTS-benchmarks/RESULTS.md} $(BIN)/python -m pytest -m soak
	DYZUR_PROPERTY_CASES=20000 $(SPREAD_TESTS) tests/connectors/test_parsers.py

screens: $(VENV)-all/.installed  ## take the pictures of docs/screens anew (chromium, npm)
	DYZUR_SCREENS=docs/screens $(VENV)-all/bin/python -m pytest -m browser tests/browser/test_every_page.py

check: $(VENV)/.installed-check  ## style, types, who imports whom, docs that must match the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --diff .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m social.settings_reference --check

format: $(VENV)/.installed-check  ## bring the code into the agreed form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The quick ones; memory, latency, scaling and upgrade take longer and say in their first lines how they are called.
BENCHMARKS = cli_start triage ingest engine_share

bench: $(VENV)/.installed-test  ## what things cost on this machine
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done

docs: $(VENV)/.installed-run  ## write docs/configuration.md anew from the settings
	$(BIN)/python -m social.settings_reference

migration: $(VENV)/.installed-test  ## draft a change of the database: make migration m="what changes"
	@test -n "$(m)" || { echo 'Say what changes: make migration m="keep the colour of a tag"'; exit 2; }
	$(BIN)/python -m social.store.migrations "$(m)"

wheel: $(VENV)/.installed-test  ## build the wheel and the source archive into dist/
	$(BIN)/python -m build

clean:  ## remove what can be made again (.venv, caches, dist; never var/ with its database)
	rm -rf $(VENV) $(VENV)-all build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- how .venv comes to be: a stamp for each set of packages, renewed when pyproject.toml changes -----------------------

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later (with venv) was not found. Install it, for example: apt install python3 python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-run: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.installed-run

$(VENV)/.installed-check: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[check]'
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed-run

# torch stands beside the others in a second environment that sees the first: `make test` keeps showing that nothing needs it
$(VENV)-all/.installed: $(VENV)/.installed-test
	rm -rf $(VENV)-all
	$(VENV)/bin/python -m venv $(VENV)-all
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' \
		> "$$($(VENV)-all/bin/python -c 'import site; print(site.getsitepackages()[0])')/first.pth"
	$(VENV)-all/bin/python -m pip install --quiet --disable-pip-version-check '$(TORCH)' 'playwright>=1.50'
	@touch $@
