# `make demo` and `make test` each work alone on a fresh machine with Python 3.11+, a C++ compiler and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check lint types format sim chaos fuzz clean

# Compiling llama-cpp-python from its source package takes 5 to 10 minutes once; pip keeps the wheel.
$(VENV)/.app: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "Installing. The first time, compiling the engine takes 5 to 10 minutes."
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.app
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(VENV)/.app
	$(BIN)/swarmctl submit --votes 8 "Tom has 12 apples. He buys 3 boxes of 6 apples and gives away 7. How many apples does Tom have?"

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

check: lint types test

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Virtual nodes with every fault, on virtual time: SEEDS first:last, STEPS events of each. See docs/RELIABILITY.md.
sim: $(VENV)/.dev
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),0:100) --steps $(or $(STEPS),2000)

# Kills of the broker, of workers and of clients under load; COUNT of each. 1,000 take half an hour.
chaos: $(VENV)/.dev
	SWARM_CHAOS_KILLS=$(or $(COUNT),1000) $(BIN)/python -m pytest -q tests/chaos --timeout 7200

# Random bytes into every decoder and extractor: SECONDS for each of the TARGETS (all: ten). Needs Linux.
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz.fuzz --seconds $(or $(SECONDS),60) $(TARGETS)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
