# Everything a user or a developer does here, one word each.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

SEEDS ?= 5000
FIRST ?= 1
MINUTES ?= 15
INPUTS ?= 1000000
CASES ?= 2000

unexport PYTHONDONTWRITEBYTECODE # of an image of CI's: each process that a test starts would compile all modules

.PHONY: help run demo peers test check sim sim-nightly fuzz sieve chaos bench bench-replication docs proto lock clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.runtime: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python 3.11 or newer with its venv module is needed (Debian: apt install python3-venv)"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

run: $(VENV)/.runtime ## Start the laboratory pair and say what to do with it
	@$(BIN)/mtad lab

demo: $(VENV)/.runtime ## Kill the active node under load and count what arrives
	@$(BIN)/mtad lab --demo

peers: ## Install the real mail servers that the tests talk to (Debian)
	@tests/peers/install.sh

test: $(VENV)/.dev peers ## Run all tests; installs the real mail servers they need
	@$(BIN)/python -m pytest -n 2 --dist worksteal -rs

check: $(VENV)/.dev ## Lint, types, import contracts, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python proto/generate.py --check
	@$(BIN)/python -m mtad.config.reference --check
	@$(BIN)/python -m mtad.cli.reference --check
	@$(BIN)/python -m mtad.admin.reference --check
	@$(BIN)/python -m mtad.sieve.reference --check
	@$(BIN)/python -m replicator.reference --check

sim: $(VENV)/.dev ## Simulate histories of a pair: SEEDS=n from FIRST=n, or one SEED=n with its trace
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED) --trace,--seeds $(SEEDS) --first $(FIRST))

sim-nightly: $(VENV)/.dev ## Simulate 100,000 histories, 2,000 on LMDB, each single fault of twenty, each pair of faults of one
	@$(BIN)/python -m tests.simulation --seeds 100000 --first $(FIRST)
	@$(BIN)/python -m tests.simulation --seeds 2000 --first $(FIRST) --store lmdb
	@$(BIN)/python -m tests.simulation --sweep --seeds 20 --first $(FIRST)
	@$(BIN)/python -m tests.simulation --pairs --seeds 1 --first $(FIRST)

fuzz: $(VENV)/.dev ## Feed what reads strangers' octets with INPUTS=n inputs from SEED=n; faults go to var/fuzz
	@$(BIN)/python -m tests.fuzz --inputs $(INPUTS) $(if $(SEED),--seed $(SEED))

sieve: $(VENV)/.dev peers ## Play CASES=n random Sieve scripts from FIRST=n in Pigeonhole too, and plant a fault in each place of the engine
	@$(BIN)/python -m tests.differential --cases $(CASES) --first $(FIRST)
	@$(BIN)/python -m tests.sieve.mutation

chaos: $(VENV)/.dev ## Break real processes under load for MINUTES=n: kills, cuts, full disks, clocks
	@$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.dev peers ## Measure against Postfix in one run, table and var/bench.json; then 10,000 sessions at once, a slow next hop beside a fast one, and what policy costs
	@$(BIN)/python -m tests.bench.bench_mail
	@$(BIN)/python -m tests.bench.bench_many_sessions
	@$(BIN)/python -m tests.bench.bench_fairness
	@$(BIN)/python -m tests.bench.bench_sieve

bench-replication: $(VENV)/.dev ## Measure a pair: two disks against one, 100,000 messages queued, switchovers, starts
	@$(BIN)/python -m tests.bench.bench_replication
	@$(BIN)/python -m tests.bench.bench_queue
	@$(BIN)/python -m tests.bench.bench_switchover
	@$(BIN)/python -m tests.bench.bench_start

docs: $(VENV)/.dev ## Write the generated reference pages
	@$(BIN)/python -m mtad.config.reference
	@$(BIN)/python -m mtad.cli.reference
	@$(BIN)/python -m mtad.admin.reference
	@$(BIN)/python -m mtad.sieve.reference
	@$(BIN)/python -m replicator.reference

proto: $(VENV)/.dev ## Generate the protobuf code
	@$(BIN)/python proto/generate.py

lock: ## Resolve the dependencies anew into the lock files
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock pyproject.toml requirements-build.in
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml requirements-build.in

clean: ## Remove what the other words made
	@rm -rf $(VENV) var
