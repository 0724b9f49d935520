# What can be done here; `make` alone lists it. Everything runs from .venv, which `setup` makes from the locked requirements.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# The first Python that is new enough. `make PYTHON=/path/to/python3.12 setup` takes another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
FAST_LANES := $(wildcard tests/unit tests/component tests/story)
WORKERS ?= 2
SEEDS ?= 200
HOSTS ?= 3
FUZZ ?= $(shell date +%F)
EXAMPLES ?= 50
ARGS ?=

.PHONY: help setup system-packages guest demo lab lab-down test test-unit test-component test-story test-system lint format bench bench-fleet bench-healing chaos attack fuzz dst migration verbs lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.installed ## Get ready: system packages when missing, .venv with the locked requirements, kilonova itself

system-packages: ## Install the missing Debian packages (as root), or print the command that does
	@PYTHON="$(PYTHON)" scripts/system-packages.sh

.venv/.requirements: requirements/dev.txt | system-packages
	@echo "Python packages: installing requirements/dev.txt into .venv ($$($(PYTHON) --version))"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@

.venv/.installed: .venv/.requirements pyproject.toml src/kilonova/__init__.py | system-packages
	@echo "Kilonova: installing this tree into .venv, editable"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

guest: setup ## Build the tiny guest image that the demo and the system tests boot
	$(BIN)/python guest/build

demo: setup guest ## See it work: a cloud, a network, a real server, from nothing to SSH
	$(BIN)/python scripts/demo.py $(ARGS)

lab: setup guest ## Bring up a fleet of real hosts in namespaces on this machine (HOSTS=3; as root)
	$(BIN)/python -m lab up --hosts $(HOSTS)

lab-down: setup ## End that fleet; nothing of it is left
	$(BIN)/python -m lab down

test: setup guest ## Every test: the fast lanes in parallel, then the system lane by itself
	$(PYTEST) -n $(WORKERS) $(FAST_LANES)
	$(PYTEST) tests/system

test-unit: setup ## Pure tests (ARGS="-k name" narrows any of these lanes)
	$(PYTEST) -n $(WORKERS) tests/unit $(ARGS)

test-component: setup ## Real SQLite and PostgreSQL, simulated hosts, in process
	$(PYTEST) -n $(WORKERS) tests/component $(ARGS)

test-story: setup ## HTTP stories through the whole control plane
	$(PYTEST) -n $(WORKERS) tests/story $(ARGS)

test-system: setup guest ## Real QEMU, libvirt, dnsmasq, nftables and OpenStack clients (as root)
	$(PYTEST) tests/system $(ARGS)

lint: setup ## ruff, mypy --strict, the import layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Rewrite the tree the way `lint` wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup ## Measure the budgets of the design and print them
	$(BIN)/python -m benchmarks $(ARGS)

bench-fleet: setup ## Measure a fleet: 1,000 simulated hosts, PostgreSQL, RabbitMQ (ARGS="--hosts 100 --servers 1000 --seconds 10" for less)
	$(BIN)/python -m benchmarks.fleet $(ARGS)

bench-healing: setup ## Strike a fleet in every way that docs/fleet.md names, and measure how fast it is whole again (ARGS="--only agent")
	$(BIN)/python -m benchmarks.healing $(ARGS)

chaos: setup guest ## Kill the cloud with -9 at every line of every journal, then storm a fleet, on both drivers; print what was left as JSON (as root)
	$(BIN)/python -m tests.chaos $(ARGS)

attack: setup ## Attack a simulated cloud from six positions; say as JSON what was tried and what held (ARGS="--only tenant" for less)
	$(BIN)/python -m tests.attack $(ARGS)

fuzz: setup ## Send requests to every route that are others each day (FUZZ=2026-01-31 sends those of a day, EXAMPLES=n so many of each)
	@echo "Drawn by FUZZ=$(FUZZ)"
	KILONOVA_FUZZ=$(FUZZ) KILONOVA_FUZZ_EXAMPLES=$(EXAMPLES) $(PYTEST) -n $(WORKERS) tests/story/generic/test_fuzz.py $(ARGS)

dst: setup ## Live through SEEDS=n simulated worlds with faults, checking after every event; ARGS="--seed k --steps" replays one
	$(BIN)/python -m tests.dst --seeds $(SEEDS) --jobs $(WORKERS) $(ARGS)

migration: setup ## Write the next step of the schema from the tables (NAME="what it does")
	$(BIN)/python scripts/new_migration.py "$(NAME)"

verbs: setup ## Write docs/verbs.md from the table of verbs
	$(BIN)/python scripts/write_verbs.py

lock: ## Resolve pyproject.toml into requirements/*.txt again (ARGS=--upgrade takes newer versions)
	PYTHON="$(PYTHON)" scripts/lock.sh $(ARGS)

clean: ## Remove what the other targets made; the next `make setup` starts afresh
	rm -rf .venv .venv-lock build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
