# Everything that a developer does here. `make` or `make help` lists the targets.

# Go keeps its caches below HOME; where there is none, below .dev/.
ifeq ($(HOME),)
export HOME := $(CURDIR)/.dev/home
endif

# Our Temporal server is built only where it is needed: not beside the temporal command line, nor beside a
# server that TEMPORAL_ADDRESS names.
temporal_dev := $(if $(TEMPORAL_ADDRESS)$(shell command -v temporal),,bin/temporal-dev)

racy := ./activities/... ./internal/audit/... ./internal/fleet/... ./internal/messaging/... ./internal/ops/... ./internal/receiver/... ./internal/runner/... ./internal/sensorlog/... ./internal/service/...

workflowcheck := go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0

.DEFAULT_GOAL := help

##@ Main

.PHONY: help
help: ## List the targets.
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z\/%]*:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Show the whole line at work on the example pack; ONCE=1 ends when every rule has fired.
	@ONCE=$(ONCE) scripts/demo

.PHONY: build
build: build/go $(temporal_dev) ## Build bin/worker and bin/starter, and bin/temporal-dev where it is needed.

.PHONY: build/go
build/go:
	go build -o bin/ ./worker ./starter

bin/temporal-dev: $(filter-out %_test.go,$(wildcard internal/devserver/*))
	@echo 'building the Temporal server, which takes some minutes the first time' >&2
	cd internal/devserver && go build -ldflags='-s -w' -o ../../$@ .

.PHONY: completions
completions: build/go ## Write the shell completions of starter to bin/completions/.
	@mkdir -p bin/completions
	bin/starter completion bash >bin/completions/starter.bash
	bin/starter completion zsh >bin/completions/_starter
	bin/starter completion fish >bin/completions/starter.fish

##@ Development stack

.PHONY: dev/up
dev/up: $(temporal_dev) ## Start this checkout's PostgreSQL, RabbitMQ and Temporal; .dev/env says where they are.
	@scripts/dev up
	@scripts/dev status

.PHONY: dev/down
dev/down: ## Stop what dev/up started; data is kept.
	@scripts/dev down

.PHONY: dev/reset
dev/reset: ## Stop it and delete its data.
	@scripts/dev reset

.PHONY: dev/status
dev/status: ## Say what runs where.
	@scripts/dev status

##@ Checks

.PHONY: test
test: dev/up build lint ## Run the linters and all tests, on real servers.
	. .dev/env && go test -count=1 -p 2 ./...

.PHONY: test/race
test/race: dev/up ## Run the tests of concurrent packages with the race detector.
	. .dev/env && go test -race -count=1 -p 2 $(racy)

.PHONY: test/fuzz
test/fuzz: dev/up ## Fuzz every parser for FUZZTIME (default 10s) each.
	. .dev/env && scripts/fuzz

.PHONY: lint
lint: lint/format lint/vet lint/layers lint/workflows lint/shell ## Run all linters.

.PHONY: lint/format
lint/format:
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path './.dev/*')); \
		test -z "$$unformatted" || { echo "not formatted, run gofmt -w on: $$unformatted" >&2; exit 1; }

.PHONY: lint/vet
lint/vet:
	go vet ./...

.PHONY: lint/layers
lint/layers:
	scripts/layers

.PHONY: lint/workflows
lint/workflows:
	go run $(workflowcheck) -config scripts/workflowcheck.yaml ./workflows/...

.PHONY: lint/shell
lint/shell:
	@for file in $$(find .ci scripts packs -type f \( -name '*.sh' -o -path '.ci/*' -o -path 'scripts/*' ! -name '*.*' \)); do \
		bash -n "$$file" || exit 1; done

##@ Benchmarks

.PHONY: bench
bench: dev/up build ## Run all benchmarks; figures go to .dev/bench.json.
	. .dev/env && go run ./test/bench

bench/%: dev/up build ## Run one benchmark.
	. .dev/env && go run ./test/bench $*
