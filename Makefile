# Bare `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test format lint test-rust tools lint-deployment test-deployment

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the whole API on http://127.0.0.1:3000 (the same as `cargo run`)
	cargo run

test: lint test-rust lint-deployment test-deployment ## Everything CI checks, in one command

lint: ## Formatting and lints of the Rust code, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

test-rust: ## Every Rust test
	cargo test --workspace --locked

lint-deployment: tools ## Templates, packaged templates and scripts
	scripts/lint.sh

test-deployment: tools ## Policies, packages and scripts of the deployment
	node --test tests/deployment/

format: ## Format the code
	cargo fmt --all

tools: .venv/installed node_modules/installed ## Install the pinned Python and Node tools here

.venv/installed: requirements.txt
	python3 -m venv .venv
	.venv/bin/pip install --quiet --require-hashes --requirement requirements.txt
	touch $@

node_modules/installed: package.json package-lock.json .npmrc
	npm ci --no-audit --no-fund
	touch $@

requirements.txt: requirements.in
	uvx --from uv uv pip compile --generate-hashes --output-file $@ $<
