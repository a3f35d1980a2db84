# Set-up, demo, tests. Every step of the set-up is stamped: an interrupted one goes on where it stopped.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.setup
export UV_PYTHON_DOWNLOADS := never
ifdef CI
export UV_NO_PROGRESS := 1
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A stack is six processes of the same code: compiled once, not at every start.
unexport PYTHONDONTWRITEBYTECODE

PYTEST := $(BIN)/python -m pytest
# Two workers use two cores; each has a broker and a warehouse of its own. What times out under load has both cores.
WORKERS := -n 2 --dist loadgroup
CODE := hub connectors schemas streams deploy/demo tests

.PHONY: help setup prerequisites demo test test-packages test-faults bench lint lock clean

help: ## This list
	@echo "Trục tích hợp IOC / IOC integration hub"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

prerequisites:
	@sh deploy/setup/prerequisites.sh

setup: prerequisites $(STAMPS)/project $(STAMPS)/kafka $(STAMPS)/frontend ## Python environment, Kafka's jars, front-end packages

$(STAMPS)/venv:
	@sh deploy/setup/prerequisites.sh
	@echo "→ [1/5] Python environment in $(VENV)"
	@python=$$(sh deploy/setup/prerequisites.sh --python) && "$$python" -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/uv-$(UV_VERSION): $(STAMPS)/venv
	@echo "→ [2/5] uv $(UV_VERSION)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

$(STAMPS)/python: requirements.lock $(STAMPS)/uv-$(UV_VERSION)
	@echo "→ [3/5] Python packages of requirements.lock (hashes checked)"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	@touch $@

$(STAMPS)/project: pyproject.toml $(STAMPS)/python
	@echo "→ [3/5] the command ioc"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/kafka: deploy/kafka/pom.xml $(STAMPS)/project
	@echo "→ [4/5] Apache Kafka's jars by Maven"
	@$(BIN)/python -m hub.cli kafka fetch
	@touch $@

$(STAMPS)/frontend: package-lock.json deploy/frontend/vendor.mjs $(STAMPS)/venv
	@echo "→ [5/5] front-end packages by npm"
	@npm ci --no-fund --no-audit --loglevel=warn
	@npm run --silent vendor
	@touch $@

demo: setup ## Everything at once: set up, start, load the reference history, show live status
	@$(BIN)/ioc demo $(ARGS)

test-packages:
	@sh deploy/setup/test-packages.sh

test: prerequisites test-packages setup lint ## Lint and all tests but the long ones
	@$(PYTEST) $(WORKERS) -m "not long" tests/unit tests/contract $(ARGS)
	@$(PYTEST) $(WORKERS) -m "not long" tests/integration tests/faults tests/e2e $(ARGS)

test-faults: prerequisites test-packages setup ## Kills and outages, the long ones too
	@$(PYTEST) tests/faults $(ARGS)
	@$(PYTEST) -m long tests/unit tests/contract tests/integration tests/e2e $(ARGS)

bench: prerequisites setup ## The figures of the README, measured here
	@$(BIN)/python -m tests.benchmarks $(ARGS)

lint: setup ## ruff, mypy, import directions
	@echo "→ ruff, mypy, import-linter"
	@$(BIN)/ruff check --quiet $(CODE)
	@$(BIN)/ruff format --quiet --check $(CODE)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo >/dev/null || $(BIN)/lint-imports

lock: $(STAMPS)/uv-$(UV_VERSION) ## Compile requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --extra embedded --extra traces --extra dev pyproject.toml \
		-o requirements.lock --no-emit-index-url --no-emit-find-links

clean: ## Remove what set-up, tests and demo made
	@test -x $(BIN)/ioc && $(BIN)/ioc down >/dev/null 2>&1 || true
	rm -rf $(VENV) node_modules hub/web/vendor deploy/kafka/libs .ioc .ioc-* dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
