# Commands for a newcomer; each does all of its own set-up in .venv, from python3 and the package registry alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo docs test test-all test-all-only lint types unit clean

help:
	@echo "make demo   make a small world of videos and a watch log; extract, train, predict, evaluate"
	@echo "make docs   the site, with its tutorials run, in build/site"
	@echo "make test   lint, types and tests"
	@echo "make test-all   also the tests that take minutes or need services of this machine"

# uv resolves and installs the pinned stack in seconds where pip takes minutes; it comes from the registry like the rest.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable ".[serve,dev]"
	touch $@

# On top of that what only some tests need: a cluster, object storage, a database, recognisers of words.
$(VENV)/.installed-all: $(VENV)/.installed
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable ".[test-all]"
	touch $@

demo: $(VENV)/.installed
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python examples/demo.py

# The first tutorial leaves its report where the site shows it. All of them are run anew: outputs that were kept from an
# earlier run would be those of an earlier release.
docs: $(VENV)/.installed
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable ".[serve,dev,docs]"
	rm -rf build/site build/tutorial .cache/mkdocs-jupyter && mkdir -p build/tutorial
	SEGFEAT_TUTORIAL="$(abspath build/tutorial)" OMP_NUM_THREADS=1 $(BIN)/mkdocs build --strict --quiet
	cp build/tutorial/report.html build/site/demo-report.html

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

# Two test processes of one thread each: more threads than cores wait for each other. Each begins with a half of the tests, so
# that those of a file share what they have trained, and takes over from the other when it is done.
unit: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not (gpu or slow or cluster or extras)"

test: lint types unit

test-all: test test-all-only

# What needs services that a machine may lack (PostgreSQL, espeak-ng, a browser) skips itself and says why.
test-all-only: $(VENV)/.installed-all
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile -m "(slow or cluster or extras) and not gpu"

clean:
	rm -rf demo runs build dist *.egg-info
