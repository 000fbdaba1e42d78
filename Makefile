# Each target sets up what it needs: Python 3.11 or newer and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH_VENV := .venv-torch
TORCH_BIN := $(TORCH_VENV)/bin

.PHONY: demo test check bench conformance lint clean

demo: $(VENV)/ready
	$(BIN)/leafgrad demo

test: $(VENV)/ready
	$(BIN)/python -m pytest

check: lint
	$(BIN)/python -m pytest -m "not slow and not browser"

lint: $(VENV)/ready
	$(BIN)/ruff check src tests conformance benchmarks examples tools
	$(BIN)/ruff format --check src tests conformance benchmarks examples tools
	$(BIN)/mypy

bench: $(TORCH_VENV)/ready
	$(TORCH_BIN)/python benchmarks/run.py

conformance: $(TORCH_VENV)/ready
	$(TORCH_BIN)/python conformance/run.py

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

$(TORCH_VENV)/ready: pyproject.toml conformance/requirements.txt
	$(PYTHON) -m venv $(TORCH_VENV)
	$(TORCH_BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(TORCH_BIN)/python -m pip install --quiet --requirement conformance/requirements.txt
	$(TORCH_BIN)/python -m pip install --quiet --editable .
	touch $@

clean:
	rm -rf $(VENV) $(TORCH_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
