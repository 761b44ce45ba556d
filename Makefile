# Everything a developer or a first user types; `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
SEEDS ?= 200
MINUTES ?= 5
COMPILED_TESTS ?= tests/unit/http2 tests/unit/rpc tests/unit/proxy $(addprefix tests/e2e/proxy/test_,proxy.py changing.py middlewares.py neighbours.py)

# Tests start programs by the thousand: each reads its modules as bytecode, whatever the developer's shell says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install up test test-compiled check compile pure bench bench-cluster bench-dns bench-proxy sim chaos peers proto clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint tests/constraints.txt

$(STAMP): pyproject.toml tests/constraints.txt
	@echo "==> creating $(VENV) and installing pinned dependencies"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --quiet hatchling editables
	@$(PIP) --progress-bar on --no-build-isolation --editable .
	@touch $(STAMP)

$(DEV_STAMP): $(STAMP) tests/requirements.txt
	@echo "==> installing what the tests and checks need"
	@$(PIP) --progress-bar on --requirement tests/requirements.txt
	@touch $(DEV_STAMP)

install: $(STAMP)  ## create .venv with the command at .venv/bin/fairlead

up: install  ## start a store member and three agents on the demo site
	@$(BIN)/fairlead up deploy/demo/site.yaml --data-dir demo-data

peers: $(DEV_STAMP)  ## install the programs of other people that the tests use (Debian, as root)
	@$(BIN)/python -m tests.peers install
	@$(BIN)/python -m tests.support.etcd35

test: $(DEV_STAMP) peers  ## run every test
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: $(DEV_STAMP)  ## ruff, mypy --strict, import-linter, house rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/unit/test_house_rules.py

compile: $(DEV_STAMP)  ## compile the proxy's data path beside its sources; needs a C compiler and Python's headers
	@$(BIN)/python -m tests.tools.compile_hot_paths

pure:  ## take that back: run the sources
	@find store agents -name '*.cpython-*.so' -delete
	@rm -f store/compiled.sha256 agents/compiled.sha256

test-compiled: compile peers  ## run the tests of what is compiled on its compiled form, and take it back
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(COMPILED_TESTS); status=$$?; $(MAKE) --quiet pure; exit $$status

bench: $(DEV_STAMP) peers  ## measure the hot paths beside real peers
	@$(BIN)/python -m tests.bench

bench-cluster: $(DEV_STAMP) peers  ## measure three members beside three of etcd's
	@$(BIN)/python -m tests.bench cluster failover

bench-dns: $(DEV_STAMP) peers  ## measure the name server beside dnsmasq, unbound and NSD
	@$(BIN)/python -m tests.bench.dns

bench-proxy: $(DEV_STAMP) peers  ## measure the proxy beside nginx and HAProxy
	@$(BIN)/python -m tests.bench.proxy

sim: $(DEV_STAMP)  ## simulate whole clusters: SEEDS=n runs n seeds, SEED=k replays one
	@$(BIN)/python -m tests.sim $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

chaos: $(DEV_STAMP)  ## disturb three real members under load for MINUTES=n: kills, pauses, a network that fails
	@FAIRLEAD_CHAOS_MINUTES=$(MINUTES) $(BIN)/python -m pytest -q -s tests/chaos/test_cluster.py tests/chaos/test_partitions.py tests/chaos/test_crash_loop.py

proto: $(DEV_STAMP)  ## generate the protobuf modules from the .proto files
	@$(BIN)/python -m tests.tools.generate_protos

clean:  ## remove the environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
