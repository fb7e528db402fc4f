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
.PHONY: help system build bench soak testnet testnet-down test check fmt

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

bench: build ## Runs a network under load and prints what it reaches
	cargo bench --workspace --bench load

MINUTES ?= 10
soak: system ## Breaks real networks at random: MINUTES=n [SEED=s], or SCENARIO=FILE
	cargo build $(BUILD) --bin node --bin soak
	@$(CARGO_TARGET_DIR)/release/soak $(if $(SCENARIO),--scenario $(SCENARIO),--minutes $(MINUTES) $(if $(SEED),--seed $(SEED)))

testnet-down: ## Stops that network
	@$(NODE) testnet down $(NET)

test: system ## Runs all tests
	cargo test $(BUILD)

check: system ## Formatting, lints, documentation, licences: what has to be clean before a change goes in
	cargo fmt --all --check
	cargo clippy $(BUILD) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(BUILD) --no-deps
	cargo test $(BUILD) --test architecture
	@if command -v cargo-deny >/dev/null; then cargo deny check; \
	 else echo "cargo-deny is not installed: the architecture test has checked the licences"; fi

fmt: ## Formats the code
	cargo fmt --all
