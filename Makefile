# Three commands do everything from a bare checkout: `make demo`, `make quick` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# The tests start hundreds of processes. Where this variable is set, each of them compiles what it imports anew.
unexport PYTHONDONTWRITEBYTECODE

# Each package has this much of its lines run by the tests.
FLOOR := 95

.PHONY: demo test quick lint mypy pyright types unit coverage scale bench notebooks docs dist compat clients clean

demo: $(VENV)/.demo
	@$(BIN)/clova-studio demo $(ARGS)

# Lint first, which takes a second; then types beside the tests, which wait for clocks and processes now and then; last
# the engines for clusters, which are large to install.
test: $(VENV)/.dev
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory -j3 mypy pyright coverage
	@$(MAKE) --no-print-directory scale

# The client's tests that take no time: to be run after every change.
quick: $(VENV)/.dev
	$(BIN)/pytest -q -n logical --dist worksteal -m "not slow" tests/client $(ARGS)

# The hook of .pre-commit-config.yaml calls this too.
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: mypy pyright

mypy: $(VENV)/.dev
	$(BIN)/mypy

pyright: $(VENV)/.dev
	$(BIN)/pyright

unit: $(VENV)/.dev
	$(BIN)/pytest -n logical --dist worksteal $(ARGS)

# Slow tests compare times, and the tracer would be most of their time: they run by themselves, and untraced.
coverage: $(VENV)/.dev
	$(BIN)/pytest -n logical --dist worksteal -m "not slow" --cov --cov-report= $(ARGS)
	$(BIN)/pytest -n logical --dist worksteal -m slow $(ARGS)
	@for package in langchain_clova llama_index_clova shared/clova_studio; do \
		echo "Coverage of $$package:"; \
		$(BIN)/coverage report --include="$$package/*" --skip-covered --show-missing --fail-under=$(FLOOR) || exit 1; \
	done

# Ray and Dask with two workers and one quota: not among the others, since they are installed here only.
scale: $(VENV)/.scale
	$(BIN)/pytest -n 2 --dist loadfile tests/scale $(ARGS)

bench: $(VENV)/.dev
	$(BIN)/python tests/benchmarks/run.py $(ARGS)

notebooks: $(VENV)/.scale
	$(BIN)/python tests/notebooks/run.py $(ARGS)

# The variable silences the theme's announcement of its successor, which is no warning about this site.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open site/index.html"

# The wheel is built from the sdist; twine reads both as an index does.
dist: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*

# Other people's clients against the emulator, each in an environment of its own; needs a package index.
clients: $(VENV)/.dev
	$(BIN)/python tests/clients/run.py $(ARGS)

# Each extra alone with its oldest and its newest dependencies; needs a package index.
compat: dist
	$(BIN)/python tests/support/resolutions.py dist/*.whl $(ARGS)

clean:
	rm -rf $(VENV) .benchmarks .clients .coverage build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@touch $@ $(VENV)/.demo $(VENV)/.docs

# Of ray there is no wheel for every machine. Without it the tests of Dask remain, and those of ray say why they do not.
$(VENV)/.scale: pyproject.toml $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev --group scale 2> $(VENV)/scale.log || { \
		grep "distribution found for ray" $(VENV)/scale.log || { cat $(VENV)/scale.log >&2; exit 1; }; \
		$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev --group dask; \
	}
	@touch $@

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group docs
	@touch $@ $(VENV)/.demo
