# make demo   build ArtSound from the embedded sample, open it, make the page that shows it, and train
#             and sample a toy Art2Mus on it
# make test   run the tests
# make lint   ruff and mypy
# Each makes the environment in .venv first, if it is not there.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= demo

.PHONY: demo test lint format perf clean

$(READY): pyproject.toml constraints.txt requirements-lite.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements-lite.txt
	touch $@

demo: $(READY)
	$(BIN)/artsound sample $(DEMO)/sources
	$(BIN)/artsound build --artworks $(DEMO)/sources/artgraph.zip --tracks $(DEMO)/sources/fma --out $(DEMO)/work
	test -f $(DEMO)/artsound/manifest.json || $(BIN)/artsound release $(DEMO)/work --out $(DEMO)/artsound
	HF_HUB_OFFLINE=1 $(BIN)/python examples/open_release.py $(DEMO)/artsound
	$(BIN)/artsound report $(DEMO)/work --out $(DEMO)/report --quiet
	test -f $(DEMO)/toy/model_index.json || $(BIN)/art2mus toy $(DEMO)/artsound --out $(DEMO)/toy
	$(BIN)/art2mus train $(DEMO)/artsound --recipe lite --backbone $(DEMO)/toy --out $(DEMO)/checkpoint --cache $(DEMO)/cache
	$(BIN)/art2mus sample $(DEMO)/checkpoint --release $(DEMO)/artsound --split train --limit 5 --batch 5 --steps 100 --out $(DEMO)/music

test: $(READY)
	$(BIN)/python -m pytest -m "not slow and not endurance" --numprocesses 2 --dist loadfile $(PYTEST)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

perf: $(READY)
	for bench in tests/perf/bench_*.py; do $(BIN)/python -m tests.perf.$$(basename $$bench .py) || exit 1; done

clean:
	rm -rf $(DEMO) .pytest_cache .mypy_cache .ruff_cache .hypothesis
