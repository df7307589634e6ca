# Everything runs from a bare checkout with Python 3.11 - 3.13 and make.
PYTHON ?= python3
VENV   := .venv
VENV2  := .venv-airflow2
VENV_RELEASE := .venv-release
VENV_FLEET := .venv-fleet
VENV_FUZZ := .venv-fuzz
VENV_MUTATION := .venv-mutation
BIN    := $(VENV)/bin
# Of every file that is installed the hash is known, of what builds packages that come as source only, too.
HASHES := --require-hashes --require-build-hashes --build-constraints requirements/build.txt

# What is built depends on the content of the files alone: this is the moment that hatchling writes into them unasked.
wheel check-reproducible release: export SOURCE_DATE_EPOCH := 1580601600

.DEFAULT_GOAL := help
.PHONY: help venv demo ui test test-unit test-airflow2 test-system test-fleet bench scale chaos fuzz mutants coverage lint types wheel check-wheel check-reproducible release audit lock clean

help:           ## this list
	@grep -E '^[a-z0-9-]+: .*##|^[a-z0-9-]+:  +##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 21

venv: $(VENV)/.ready    ## the environment of all other targets: Airflow 3.3 and the tools, pinned

demo: $(VENV)/.ready    ## watch the nightly retention of an emulated app in real Airflow
	$(BIN)/python scripts/demo.py

ui: $(VENV)/.ready    ## Airflow's web UI with the emulator behind it, until Ctrl-C
	$(BIN)/python scripts/ui.py

test: $(VENV)/.ready    ## all tests, on Airflow 3.3
	$(BIN)/python -m pytest

test-unit: $(VENV)/.ready    ## the tests that need no Airflow run and no socket: seconds
	$(BIN)/python -m pytest tests/unit

test-airflow2: $(VENV2)/.ready    ## the operators' tests, on Airflow 2.11
	$(VENV2)/bin/python -m pytest tests/unit tests/airflow

test-system: $(VENV)/.ready    ## Airflow's web UI and its scheduler, as make ui starts them: a minute
	$(BIN)/python -m pytest tests/system

test-fleet: $(VENV_FLEET)/.ready    ## LocalExecutor, and Celery workers: needs postgresql and redis-server, four minutes
	$(VENV_FLEET)/bin/python -m pytest tests/fleet

fuzz: $(VENV_FUZZ)/.ready    ## bad input, guided by coverage: SECONDS=60 for each target
	$(VENV_FUZZ)/bin/python fuzz/run.py --seconds $(or $(SECONDS),60)

bench: $(VENV)/.ready    ## every figure of the documents, beside an alternative
	@for benchmark in emulator_speed emulator_memory seqs_memory parse_cost cutoff_reads call_cpu recall_speed fleet_pace against_others sweep sweep_memory; do $(BIN)/python benchmarks/$$benchmark.py || exit 1; done

scale: $(VENV)/.ready    ## retention of 10,000 groups with 2,000,000 messages in real Airflow: minutes
	$(BIN)/python benchmarks/retention_scale.py

chaos: $(VENV)/.ready    ## 100,000 calls in bad weather, and nothing wrong at the end: ten minutes; SEED=1 repeats one
	$(BIN)/python -m chaos $(if $(SEED),--seed $(SEED))

coverage: $(VENV)/.ready    ## lines and branches of client, hooks, operators, retention: 95 % at least
	$(BIN)/python -m pytest tests/unit tests/contract tests/airflow --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=95 \
		$(foreach part,client hooks operators retention,--cov=airflow_provider_tencentim/$(part))

mutants: $(VENV_MUTATION)/.ready    ## change MODULE=airflow_provider_tencentim/... in every small way: do the tests notice?
	$(VENV_MUTATION)/bin/python scripts/mutants.py $(MODULE)

lint: $(VENV)/.ready    ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready    ## mypy, strict for the package
	$(BIN)/mypy

wheel: $(VENV)/.ready    ## build the wheel into dist/
	rm -rf dist
	$(BIN)/hatchling build -t wheel

check-wheel: wheel    ## install the wheel alone beside a stock Airflow, and see Airflow know it
	$(BIN)/python scripts/check_wheel.py dist/*.whl

check-reproducible: $(VENV)/.ready    ## build in unlike places, and compare the bytes
	$(BIN)/python scripts/check_reproducible.py

release: $(VENV)/.ready $(VENV_RELEASE)/.ready    ## wheel, sdist, SBOM and checksums into dist/; uploads nothing
	rm -rf dist
	$(BIN)/hatchling build
	$(VENV_RELEASE)/bin/python scripts/sbom.py $(BIN)/uv dist/*.whl
	cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

audit: $(VENV)/.ready $(VENV2)/.ready $(VENV_RELEASE)/.ready    ## what is pinned: withdrawn, forbidden, unlicensed, vulnerable? AUDIT=--strict
	$(BIN)/python scripts/audit.py $(AUDIT)

lock: $(VENV)/.ready    ## pin what is new in pyproject.toml, with hashes
	scripts/lock.sh $(BIN)/uv

clean:          ## remove all that was made here
	rm -rf $(VENV) $(VENV2) $(VENV_RELEASE) $(VENV_FLEET) $(VENV_FUZZ) $(VENV_MUTATION) .mutants fuzz/crashes dist .demo .ui .pytest_cache .mypy_cache .ruff_cache

$(VENV)/.ready: requirements/airflow-3.3.txt requirements/uv.txt requirements/build.txt pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python $(HASHES) $<
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

$(VENV2)/.ready: requirements/airflow-2.11.txt pyproject.toml $(VENV)/.ready
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV2)
	$(BIN)/uv pip sync --quiet --python $(VENV2)/bin/python $(HASHES) $<
	$(BIN)/uv pip install --quiet --python $(VENV2)/bin/python --no-deps --no-build-isolation --editable .
	touch $@

$(VENV_RELEASE)/.ready: requirements/release.txt $(VENV)/.ready
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV_RELEASE)
	$(BIN)/uv pip sync --quiet --python $(VENV_RELEASE)/bin/python $(HASHES) $<
	touch $@

$(VENV_FLEET)/.ready: requirements/airflow-3.3-fleet.txt pyproject.toml $(VENV)/.ready
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV_FLEET)
	$(BIN)/uv pip sync --quiet --python $(VENV_FLEET)/bin/python $(HASHES) $<
	$(BIN)/uv pip install --quiet --python $(VENV_FLEET)/bin/python --no-deps --no-build-isolation --editable .
	touch $@

$(VENV_FUZZ)/.ready: requirements/airflow-3.3.txt requirements/fuzz.txt pyproject.toml $(VENV)/.ready
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV_FUZZ)
	$(BIN)/uv pip sync --quiet --python $(VENV_FUZZ)/bin/python $(HASHES) requirements/airflow-3.3.txt requirements/fuzz.txt
	$(BIN)/uv pip install --quiet --python $(VENV_FUZZ)/bin/python --no-deps --no-build-isolation --editable .
	touch $@

$(VENV_MUTATION)/.ready: requirements/airflow-3.3.txt requirements/mutation.txt $(VENV)/.ready
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV_MUTATION)
	$(BIN)/uv pip sync --quiet --python $(VENV_MUTATION)/bin/python $(HASHES) requirements/airflow-3.3.txt requirements/mutation.txt
	touch $@
