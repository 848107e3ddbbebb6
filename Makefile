# Everything that a contributor runs. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
GOLDEN ?= var/golden.json
SOURCES := consent_rules fhir_server seed tests
.DEFAULT_GOAL := help
.PHONY: help run demo test newest lock check lint types imports rules-coverage fmt bench bench-detection lag golden faults fuzz two-worlds mutation whole-space coverage-docs browser clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A stamp for each kind of installation: the second run installs nothing unless the pinned versions have changed.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Habilis needs Python 3.11 or newer; say which: make PYTHON=/path/to/python3.12 …"; exit 1; }
	@echo "Making the environment $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { echo "no venv module: on Debian, apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

# Pinned versions come with the hash of every file; the project itself is installed from this folder and asks for nothing.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off
NAMES := sed -un 's/^Collecting \([^ ;]*\).*/  \1/p'
pinned = echo "Installing the $$(grep -c '^[a-z].*==' $(1)) packages of $(1) into $(VENV) …" \
	&& $(PIP) --require-hashes --no-deps -r $(1) | $(NAMES) \
	&& $(PIP) --quiet --no-deps --no-build-isolation --editable .

$(VENV)/.installed: constraints.txt pyproject.toml | $(BIN)/python
	@$(call pinned,constraints.txt)
	@touch $@

$(VENV)/.installed-test: constraints-test.txt pyproject.toml | $(BIN)/python
ifdef NEWEST
	@echo "Installing the newest versions that pyproject.toml allows into $(VENV) …"
	@$(PIP) --upgrade --upgrade-strategy eager --editable '.[test]' | $(NAMES)
else
	@$(call pinned,constraints-test.txt)
endif
	@touch $@ $(VENV)/.installed

# Tests sync what they write: where memory has room for it, their data stay there. A file of tests is run by one process.
# A test that waits for ever fails after ten minutes with the stacks of its threads; a new process runs what is left.
MEMORY := $(shell [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null && echo /dev/shm)
# tests/conftest.py says which files come first: those that wait for other programs.
PYTEST := TMPDIR=$${TMPDIR:-$(MEMORY)} $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
	--timeout 600 --timeout-method thread

run: $(VENV)/.installed ## start the seeded demonstration on http://127.0.0.1:8080
	@echo "Open http://127.0.0.1:$${HABILIS_PORT:-8080} for the invented people, their tokens, the API and the journal of accesses."
	@echo "In another terminal, \`make demo\` plays the story; README.md has a tour by curl."
	@$(BIN)/habilis serve --demo

demo: $(VENV)/.installed ## play the story against the server that `make run` has started
	@$(BIN)/python -m seed.demo

# The pages are tested in a real Chromium. It is installed where that is possible; a continuous integration never skips.
browser:
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the tests of the pages …"; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null; \
	elif [ "$${CI:-}" = true ]; then echo "no Chromium, and no way to install one"; exit 1; \
	else echo "The tests of the pages are left out: there is no Chromium, and installing one needs root and apt-get."; fi

test: $(VENV)/.installed-test browser ## run all tests
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || left="not browser"; \
	command -v npm >/dev/null || left="$${left:+$$left and }not npm"; \
	command -v java >/dev/null && command -v mvn >/dev/null || { left="$${left:+$$left and }not maven"; \
		echo "The day of HAPI's client and its validator are left out: they need java and mvn."; }; $(PYTEST) -m "$$left"

newest: ## run all tests with the newest versions that pyproject.toml allows, in an environment of its own
	@rm -f .venv-newest/.installed-test
	@$(MAKE) --no-print-directory VENV=.venv-newest NEWEST=yes test

lock: $(VENV)/.installed-test ## pin the newest versions that pyproject.toml allows, with the hash of every file
	@$(PIP) --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--output-file constraints.txt pyproject.toml --group build
	@$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--constraint constraints.txt --output-file constraints-test.txt --extra test pyproject.toml --group build

check: lint types imports rules-coverage test ## everything that must hold before a change is taken: style, types, imports, tests

lint: $(VENV)/.installed-test ## style
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/.installed-test ## types, strictly
	@$(BIN)/mypy

imports: $(VENV)/.installed-test ## who may import whom
	@$(BIN)/lint-imports

whole-space: $(VENV)/.installed-test ## the rules against their second statement in six million states, and every fault of its tables
	@HABILIS_TEST_WHOLE_SPACE=1 $(BIN)/pytest -q tests/laws/test_independent_oracle.py tests/laws/test_invariants.py

mutation: $(VENV)/.installed-test ## plant small faults in the rules; at least 95 % of them must break a test
	@rm -rf mutants
	@$(BIN)/mutmut run
	@$(BIN)/mutmut results
	@$(BIN)/mutmut export-cicd-stats >/dev/null
	@$(BIN)/python -c 'import json, sys; n = json.load(open("mutants/mutmut-cicd-stats.json")); \
		total, dead = n["total"], n["killed"] + n["timeout"]; \
		print(f"{dead} of {total} faults found: {dead / total:.1%}"); \
		sys.exit(dead < 0.95 * total)'

fmt: $(VENV)/.installed-test ## format, and repair what can be repaired
	@$(BIN)/ruff check --fix --quiet $(SOURCES) || true
	@$(BIN)/ruff format $(SOURCES)

rules-coverage: $(VENV)/.installed-test ## the rules alone: every line and branch must be reached
	@$(PYTEST) -q tests/rules tests/laws --cov=consent_rules --cov-branch --cov-fail-under=100

bench: $(VENV)/.installed-test ## measure the server and rewrite the table of docs/performance.md
	@$(BIN)/python -m tests.bench

bench-detection: $(VENV)/.installed-test ## play generated months of a hospital to detection; print what it finds, what it misses, and false alarms
	@$(BIN)/python -m tests.detection

lag: $(VENV)/.installed-test ## print how long messages wait for their worker at 300 writes a second; STORE=mongo for MongoDB
	@$(BIN)/python -m tests.bench.outbox_lag $(STORE)

golden: $(VENV)/.installed-test ## what the server answers otherwise than the record of GOLDEN=FILE, which is made when there is none
	@$(BIN)/python -m tests.golden $(if $(wildcard $(GOLDEN)),compare,record) $(GOLDEN)

faults: $(VENV)/.installed-test ## kill the server at 200 random moments under load, workers at 100 (alone, and with their server), a writer of MongoDB at 40
	@HABILIS_TEST_WORKER_KILLS=100 HABILIS_TEST_KILLS=200 HABILIS_TEST_MONGO_KILLS=40 $(BIN)/pytest -rP tests/faults

# Slices with different SEEDs ask different requests: SEED=0, then SEED=1, and so on.
fuzz: $(VENV)/.installed-test ## CASES=20000 generated requests of the slice SEED=0, none of which may break the server
	@HABILIS_TEST_FUZZ_CASES=$(or $(CASES),20000) HABILIS_TEST_FUZZ_SEED=$(or $(SEED),0) $(BIN)/pytest tests/fuzz

two-worlds: $(VENV)/.installed-test ## TRIALS=20000 deeds on each of STORES="sqlite mongo": two worlds that differ in a secret must tell the same
	@$(BIN)/python -m tests.adversarial --trials $(or $(TRIALS),20000) $(if $(SEED),--seed $(SEED)) $(or $(STORES),sqlite mongo)

coverage-docs: $(VENV)/.installed-test ## rewrite docs/coverage.md, docs/interop.md and docs/rules.md from the marks of the tests
	@$(BIN)/python -m tests.conformance.coverage_docs
	@$(BIN)/python -m tests.conformance.interop_docs
	@$(BIN)/python -m tests.rules.rules_docs

clean: ## remove the environment, the caches and the demonstration's data
	@rm -rf $(VENV) .venv-newest .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info var
