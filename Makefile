# One command each; `make help` lists them. Everything lives in this folder: .venv, target, .cache.
PYTHON ?= python3
BIN := .venv/bin
CACHE := .cache
RUST := $(shell find rust -path rust/fuzz -prune -o \( -name '*.rs' -o -name 'Cargo.toml' \) -print) Cargo.toml Cargo.lock
SERVE ?=
TEST ?=
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help serve test lint format test-rust test-python test-compat fuzz kill kill-groups kill-transactions flights bench bench-smoke clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

$(BIN)/maturin:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet 'maturin>=1.9,<2'

# The extension is built in release and put beside the Python sources; both stamps are redone only when sources change.
.venv/built: $(BIN)/maturin pyproject.toml $(RUST)
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin develop --release --quiet
	@touch $@

.venv/dev: .venv/built
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin develop --release --quiet --extras dev
	@touch $@

serve: .venv/built ## set up, and run a broker on 127.0.0.1:9092 with its data in ./data
	$(BIN)/ottla serve $(SERVE)

test: lint test-rust test-python test-compat ## set up what tests need, and run them all

lint: .venv/dev ## formatting, ruff, mypy, clippy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- --deny warnings

format: .venv/dev ## format Python and Rust
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .
	cargo fmt --all

test-rust: ## unit, property and simulation tests of the data plane
	cargo test --quiet -p ottla-core

test-python: .venv/dev ## tests of the control plane, the protocol, and the broker as a whole
	$(BIN)/pytest tests $(TEST)

test-compat: .venv/dev ## other people's clients and tools against the broker
	$(BIN)/pytest compat-tests -n 2 --dist worksteal $(TEST)

fuzz: .venv/dev ## every parser of outside bytes for 20 seconds
	$(BIN)/python -m tests.fuzz --seconds 20

kill: .venv/dev ## kill -9 under load, 25 times, and look for what was acknowledged
	$(BIN)/python -m tests.faults.kill --rounds 25

kill-groups: .venv/dev ## kill -9 under groups that join, commit and migrate, 10 times
	$(BIN)/python -m tests.faults.kill_groups --rounds 10

kill-transactions: .venv/dev ## kill -9 under transactions of both protocols, for a minute
	$(BIN)/python -m tests.faults.kill_transactions --minutes 1

flights: .venv/dev ## 336,776 flights through the broker and back
	$(BIN)/python -m examples.flights

bench: .venv/dev ## measure beside Apache Kafka; BENCH='--only raw_produce' for one workload
	$(BIN)/python -m benchmarks $(BENCH)

bench-smoke: .venv/dev ## every workload, tiny, on Ottla alone
	$(BIN)/python -m benchmarks --peers ottla --smoke

clean: ## remove what was built
	rm -rf .venv target $(CACHE)
