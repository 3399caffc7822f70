# Copyright The Rollcall Authors
# SPDX-License-Identifier: Apache-2.0

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := check

LINT_VERSION := v2.15.0
LINT := $(CURDIR)/.bin/golangci-lint-$(LINT_VERSION)
FUZZTIME ?= 10s
NESTED := bench conformance

.PHONY: help
help: ## Print what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-10s %s\n", $$1, $$2 }'

.PHONY: check
check: lint test ## Lint and test: what to run before a commit

.PHONY: build
build: ## Build the command into ./rollcall
	go build -o rollcall ./cmd/rollcall

.PHONY: test
test: ## Run the tests; those that need ZooKeeper or Python skip where it is missing
	go test ./...

.PHONY: race
race: ## Run the tests as CI does: race detector, shuffled, nothing may skip
	ROLLCALL_TEST_REQUIRE=all go test -race -shuffle=on -timeout 10m ./...

.PHONY: nested
nested: ## Test the nested modules
	for module in $(NESTED); do (cd $$module && go test -race ./...); done

.PHONY: lint
lint: $(LINT) ## Format, vet, staticcheck and more, tidy: the nested modules too
	$(LINT) fmt --diff
	for module in . $(NESTED); do (cd $$module && $(LINT) run ./... && go mod tidy -diff); done

# Too large for a go.mod of tools: building it takes minutes, once per version.
$(LINT):
	GOBIN=$(CURDIR)/.bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv .bin/golangci-lint $@

.PHONY: fmt
fmt: $(LINT) ## Format the code
	$(LINT) fmt

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (10s)
	@.ci/fuzz $(FUZZTIME)

.PHONY: long
long: long-crash long-scenarios ## Run the long crash tests and scenarios, all of chaos on three registries, 20 minutes short of CPU, floods, then every fuzz target for 10 minutes; docs/ keeps the figures
	ROLLCALL_TEST_LONG=1 ROLLCALL_TEST_REQUIRE=all go test -run Long -timeout 60m -v ./cmd/rollcall
	ROLLCALL_TEST_ONCE_ROUNDS=2000 go test -run 'TestAtMostOnce$$' -timeout 20m -v .
	ROLLCALL_TEST_LONG=1 go test -run LongFlood -timeout 10m -v ./zk/zkserver
	@.ci/fuzz 10m

.PHONY: long-scenarios
long-scenarios: ## Play 4000 steps of each random scenario on this registry and on Apache ZooKeeper; docs/zookeeper.md keeps the figures
	ROLLCALL_TEST_REQUIRE=all go test -run TestApache/scenarios -count=1 -v ./zk/zkserver -args -random-steps 4000

.PHONY: long-crash
long-crash: ## Run the crash tests 10 to 100 times as long as CI does; docs/crash-tests.md keeps the figures
	.ci/crash

.PHONY: bench
bench: ## Run the benchmarks of the packages
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: ci
ci: ## Run what CI runs
	.ci/run
