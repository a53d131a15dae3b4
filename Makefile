# Everything here works on a machine with nothing but Python 3.11 and make: the first target sets up what the others need.

PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS := 1

# Tests whose fork bombs and endless loops burden the machine for all others: they run when these are done.
BURDENS := tests/hostile tests/robustness

.PHONY: grade test check format bench clean browser

grade: .venv/grading
	$(BIN)/grade submissions/

test: .venv/developing browser
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(BURDENS:%=--ignore=%)
	$(BIN)/python -m pytest $(BURDENS)

check: .venv/developing
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/developing
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/developing
	$(BIN)/python benchmarks/grading.py
	$(BIN)/python benchmarks/notebooks.py
	$(BIN)/python benchmarks/diagnosis.py
	$(BIN)/python benchmarks/reports.py

# Tests of the pages need Chromium. Where it is not there and cannot be installed they are skipped, and say so.
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq \
	  && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || true

clean:
	rm -rf .venv reports

.venv/made:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed; set PYTHON=..."'
	$(PYTHON) -m venv .venv
	touch $@

.venv/grading: .venv/made pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/developing: .venv/grading
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
