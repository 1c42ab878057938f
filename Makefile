# Bare `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test lint licences test-rust test-api test-hostile test-clients test-browser \
  lint-deployment test-deployment rehearse reproduce build bench bench-once bench-instructions profile reliability load fuzz postman \
  advisories sbom format tools build-tools lock peers

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the whole API on http://127.0.0.1:3000 (the same as `cargo run`)
	cargo run

test: lint licences test-rust test-hostile $(if $(shell command -v qemu-$$(uname -m)),bench-instructions) bench-once test-clients $(if $(wildcard /usr/bin/chromium),test-browser) lint-deployment test-deployment rehearse ## Everything CI checks, in one command

lint: ## Formatting and lints of the Rust code, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

test-rust: ## Every Rust test
	cargo test --workspace --locked

test-api: ## Of these, what a deployment must not break: seconds instead of minutes
	cargo test --locked --package catalog --package tests --lib --test it -- --skip hostile:: --skip laws:: --skip promises::

test-hostile: build-tools ## What schemathesis makes of openapi.yaml, to the running API: 2,000 requests
	tests/schemathesis/run.sh 1000 2000

test-clients: build-tools ## What clients hold on to: the contract, a walk through it, and `cargo lambda`
	cargo build --quiet --locked --bin local --bin create-product --bin find-product
	node --test tests/clients/contract.test.mjs tests/clients/walk.test.mjs tests/clients/cargo-lambda.test.mjs

test-browser: build-tools ## The page at /docs, in Chromium (SCREENSHOT=docs/reference.png takes the picture of it)
	cargo build --quiet --locked --bin local
	node --test tests/clients/reference.test.mjs

lint-deployment: tools ## Templates, packaged templates, the contract and scripts
	scripts/lint.sh

test-deployment: tools ## Policies, packages and scripts of the deployment
	node --test tests/deployment/*.test.mjs

rehearse: tools ## Play a push to master, whole, on two emulated AWS accounts (KEEP=1 keeps them up)
	.venv/bin/python tests/rehearsal/rehearse.py

reproduce: build-tools ## Build the zips twice, from clean, and compare them (ARCHITECTURE=x86_64, or arm64)
	scripts/reproduce.sh

build: build-tools ## Build both functions as they are deployed, for this machine, in target/lambda
	scripts/build.sh

bench: build peers ## Starts and calls beside other ways to write them; writes docs/performance.md (ROUNDS=1: a minute, and prints it)
	cargo run --quiet $(if $(ROUNDS),,--profile measure) --locked --package bench --bin bench -- $(if $(ROUNDS),--rounds $(ROUNDS))

bench-once: ## One round of it, which writes nothing: every subject starts and answers as it must
	$(MAKE) bench ROUNDS=1

bench-instructions: build ## Instructions of init, first and warm call, and the zip's size, against bench/limits.toml (faketime, qemu-user)
	cargo run --quiet --locked --package bench --bin instructions

profile: build-tools ## Callgrind's profiles of both functions, with names, in target/profile (faketime, valgrind)
	CARGO_PROFILE_RELEASE_STRIP=none scripts/build.sh --lambda-dir target/profile
	LAMBDA_DIR=target/profile cargo run --quiet --locked --package bench --bin instructions -- target/profile

reliability: build-tools ## Every promise in full, on the release binaries; writes docs/reliability.md
	tests/reliability.sh

load: ## 64 callers at once for a minute
	cargo build --quiet --locked --package local --package tests
	target/debug/load target/debug/local

fuzz: .tools/bin/cargo-fuzz ## Ten minutes of made-up events, on a nightly toolchain
	mkdir -p fuzz/found
	RUSTUP_TOOLCHAIN=nightly .tools/bin/cargo-fuzz run --sanitizer none event \
	  fuzz/found fuzz/corpus/event tests/events -- -dict=fuzz/json.dict -max_total_time=600

licences: .tools/bin/cargo-deny ## Licences, sources and bans of the crates, as deny.toml has them
	.tools/bin/cargo-deny --locked check licenses bans sources

postman: build-tools ## The contract as a Postman collection, with a walk through it, in dist/postman
	node tests/clients/postman.mjs

advisories: .tools/bin/cargo-deny ## Known vulnerabilities of the crates; asks github.com
	.tools/bin/cargo-deny --locked check advisories

sbom: .tools/bin/cargo-cyclonedx ## What is built into each function, as CycloneDX, in dist/sbom
	.tools/bin/cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps \
	  --target $(if $(filter x86_64,$(ARCHITECTURE)),x86_64,aarch64)-unknown-linux-gnu
	mkdir -p dist/sbom
	mv functions/*/*.cdx.json dist/sbom/
	rm */*.cdx.json

format: ## Format the code
	cargo fmt --all

tools: build-tools .venv/checkov/installed ## Install the pinned Python and Node tools here

build-tools: .venv/installed node_modules/installed ## Of these, what building and packaging needs

.venv/installed: requirements.txt
	python3 -m venv .venv
	.venv/bin/pip install --quiet --require-hashes --requirement $<
	touch $@

.venv/checkov/installed: requirements-checkov.txt
	python3 -m venv .venv/checkov
	.venv/checkov/bin/pip install --quiet --require-hashes --requirement $<
	touch $@

node_modules/installed: package.json package-lock.json .npmrc
	npm ci --no-audit --no-fund
	touch $@

peers: target/peers/python/installed target/peers/node/installed
	cd bench/peers/documentation && cargo build --release --locked --target-dir ../../../target/peers
	cd bench/peers/hello && cargo build --release --locked --target-dir ../../../target/peers

target/peers/python/installed: bench/peers/python/requirements.txt
	python3 -m venv target/peers/python
	target/peers/python/bin/pip install --quiet --require-hashes --requirement $<
	touch $@

target/peers/node/installed: $(addprefix bench/peers/node/,.npmrc create.js find.js package.json package-lock.json)
	cd bench/peers/node && npm ci --no-audit --no-fund
	cd bench/peers/node && node_modules/.bin/esbuild create.js find.js \
	  --bundle --minify --platform=node --target=node20 --outdir=../../../target/peers/node
	touch $@

.tools/bin/cargo-cyclonedx:
	cargo install --quiet --locked --root .tools cargo-cyclonedx@0.5.9

.tools/bin/cargo-deny:
	cargo install --quiet --locked --root .tools cargo-deny@0.20.2

.tools/bin/cargo-fuzz:
	cargo install --quiet --locked --root .tools cargo-fuzz@0.13.2

lock: .venv/uv/installed ## Write the lock files of the Python tools anew
	for tools in requirements requirements-checkov bench/peers/python/requirements; do \
	  .venv/uv/bin/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command 'make lock' --output-file $$tools.txt $$tools.in; \
	done

.venv/uv/installed:
	python3 -m venv .venv/uv
	.venv/uv/bin/pip install --quiet uv
	touch $@
