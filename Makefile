# Fuin. `make help` lists the targets; CI runs nothing but these.

SHELL := bash
.DEFAULT_GOAL := help

BIN      := bin
PROGRAMS := fuin fuin-controller fuin-render
LDFLAGS  := -s -w
TEST     := go test
FUZZTIME ?= 20s
TOOLS     = $$(testdata/build tools)
EXTRA    := ./testdata/demo ./testdata/bench

# A test that lacks its servers says which target builds them.
export CGO_ENABLED ?= 0

## Daily

build: ## Build the three programs into bin/
	go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ $(addprefix ./cmd/,$(PROGRAMS))

man: ## Write the man pages into bin/man
	$(TEST) -count=1 ./cmd/fuin -run TestManPages -man $(CURDIR)/$(BIN)/man

test: kube peers vault sops renderers ## Run all tests on real servers, which are built on first use
	$(TEST) -timeout 30m ./...

demo: build kube vault ## Show the whole way, from a commit to two clusters (KEEP=1: leave it running)
	go run ./testdata/demo -bin $(BIN) $(if $(KEEP),-keep)

lint: tools ## go vet and golangci-lint
	go vet ./... $(EXTRA)
	$(TOOLS)/golangci-lint run ./... $(EXTRA)

generate: tools ## Make the deep copies, the CRD and the CLI reference anew
	$(TOOLS)/controller-gen object paths=./controller/api/...
	$(TOOLS)/controller-gen crd:maxDescLen=0 paths=./controller/api/... output:crd:dir=deploy/base
	$(TEST) ./cmd/fuin -run TestReference -update

verify: lint race generate ## Lint, race tests; fails if generating or tidying changes a file
	go mod tidy -diff
	@changed=$$(git status --porcelain); if [ -n "$$changed" ]; then \
		echo "make verify: files are not as generated, or not committed:"; echo "$$changed"; exit 1; fi

race: ## Run the tests that need no server under the race detector
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 $(TEST) -race -timeout 30m ./keys/... ./seal/... ./render/... ./cmd/...

## Now and then

soak: kube peers vault ## The long tests: thirty kills in place of five, and the like
	FUIN_SOAK=1 $(TEST) -count=1 -timeout 60m ./controller/...

bench: build kube peers vault ## Measure beside Sealed Secrets, in one run (ARGS=-short)
	go run ./testdata/bench $(ARGS)

fuzz: ## Fuzz every fuzz target for FUZZTIME (20s) each
	@set -e; for package in $$(go list ./...); do \
		for target in $$($(TEST) -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(TEST) -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
		done; done

## Builds of others' programs, cached in .cache/ by their go.sum

kube: ## etcd and the Kubernetes servers (or set KUBEBUILDER_ASSETS)
	@testdata/build kube >/dev/null

peers: ## kubeseal, the Sealed Secrets controller, gitleaks
	@testdata/build peers >/dev/null

renderers: ## Helm 3 and 4, kustomize
	@testdata/build renderers >/dev/null

sops: ## SOPS
	@testdata/build sops >/dev/null

vault: ## A Vault server
	@testdata/build vault >/dev/null

tools: ## golangci-lint and controller-gen
	@testdata/build tools >/dev/null

clean: ## Remove what was built, the caches too
	rm -rf $(BIN) .cache

help: ## Show this
	@awk 'BEGIN { FS = ":.*## " } \
		/^## / { printf "\n%s\n", substr($$0, 4) } \
		/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build man test demo lint generate verify race soak bench fuzz kube peers vault sops renderers tools clean help
