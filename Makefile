# Bare `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test format lint test-rust

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the whole API on http://127.0.0.1:3000 (the same as `cargo run`)
	cargo run

test: lint test-rust ## Everything CI checks, in one command

lint: ## Formatting and lints, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

test-rust: ## Every Rust test
	cargo test --workspace --locked

format: ## Format the code
	cargo fmt --all
