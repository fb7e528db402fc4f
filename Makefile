# What people type. One profile (release) and one target folder everywhere, outside of the clone: another
# of either would build RocksDB's C++ once more. `.ci/run` calls these same targets.

ifneq ($(XDG_CACHE_HOME),)
CACHE := $(XDG_CACHE_HOME)
else
CACHE := $(HOME)/.cache
endif
export CARGO_TARGET_DIR ?= $(CACHE)/quorate/target

NET  ?= net
NODE := $(CARGO_TARGET_DIR)/release/node
# Over the whole workspace always: cargo unites features over what it builds together, and a build of one
# crate alone would have others, and build its C++ again.
BUILD := --release --workspace

.DEFAULT_GOAL := help
.PHONY: help system build bench bench-alive bench-rpc soak testnet testnet-down test test-clients power-cuts flood observer-memory fuzz check fmt

help: ## Shows this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

system: ## Installs the system packages that the build needs, where they are missing
	@sh .ci/system-packages

build: system ## Builds the node
	cargo build $(BUILD) --bin node

testnet: build ## Makes a network of four validators and an observer in ./net, and starts it
	@test -e $(NET) || $(NODE) testnet new --out $(NET)
	@$(NODE) testnet up $(NET)
	@sed -n '/^## Try it/,$$p' $(NET)/README.md

bench: build ## Measures what a network commits, and anvil where ANVIL=FILE is one
	cargo bench --workspace --bench load

bench-alive: build ## Measures what dead validators cost
	cargo bench --workspace --bench alive

bench-rpc: build ## Measures JSON-RPC beside jsonrpsee alone, and beside anvil where ANVIL=FILE is one
	cargo bench --workspace --bench rpc

MINUTES ?= 10
soak: system ## Breaks real networks at random: MINUTES=n [SEED=s], or SCENARIO=FILE
	cargo build $(BUILD) --bin node --bin soak
	@$(CARGO_TARGET_DIR)/release/soak $(if $(SCENARIO),--scenario $(SCENARIO),--minutes $(MINUTES) $(if $(SEED),--seed $(SEED)))

testnet-down: ## Stops that network
	@$(NODE) testnet down $(NET)

test: system ## Runs all tests
	cargo test $(BUILD)

test-clients: system ## Runs SDKs, tools and the examples against a fresh network: [ONLY="go viem"]
	cargo build $(BUILD) --bin node --bin clients
	@$(CARGO_TARGET_DIR)/release/clients $(ONLY)

power-cuts: build ## Lets the power go at 200 random instants under a running network
	cargo test $(BUILD) --test e2e -- --ignored --nocapture 200_random_instants

flood: build ## Measures what one flooding peer costs
	cargo test $(BUILD) --test e2e -- --ignored --nocapture flood_throughput

observer-memory: build ## Watches the memory of an observer over 100,000 blocks
	cargo test $(BUILD) --test e2e -- --ignored --nocapture 100_000_blocks

FUZZ_SECONDS ?= 30
# A frame of 64 KiB holds every shape, and no honest decoder asks for 64 MiB at once for it.
FUZZ_LIMITS := -max_len=65536 -malloc_limit_mb=64

fuzz: ## Fuzzes each decoder for half a minute: fuzz/README.md
	mkdir -p $(CARGO_TARGET_DIR)/fuzz
	rustc --edition 2024 -o $(CARGO_TARGET_DIR)/fuzz/seeds fuzz/seeds.rs
	$(CARGO_TARGET_DIR)/fuzz/seeds fuzz/corpus
	cd fuzz && for target in $$(cargo +nightly fuzz list); do \
	  cargo +nightly fuzz run --target-dir $(CARGO_TARGET_DIR)/fuzz $$target -- $(FUZZ_LIMITS) -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

check: system ## Formatting, lints, documentation, licences: what has to be clean before a change goes in
	cargo fmt --all --check
	cargo clippy $(BUILD) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(BUILD) --no-deps
	cargo test $(BUILD) --test architecture
	@if command -v cargo-deny >/dev/null; then cargo deny check; \
	 else echo "cargo-deny is not installed: the architecture test has checked the licences"; fi

fmt: ## Formats the code
	cargo fmt --all
