# `make` alone lists the targets.
export CGO_ENABLED ?= 0
FUZZTIME ?= 5m
PROVE ?= 90m

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.PHONY: build
build: ## build bin/lectern, a static binary
	go build -trimpath -buildvcs=$(shell git status >/dev/null 2>&1 && echo true || echo false) -ldflags '-s -w' -o bin/lectern ./cmd/lectern

.PHONY: run
run: build ## start one instance, with nothing to install
	./bin/lectern serve

.PHONY: run-cluster
run-cluster: build ## start three instances on one Postgres and one Redis behind a balancer (installs these two)
	@.ci/install cluster
	go build -trimpath -buildvcs=false -o bin/cluster ./cmd/cluster
	./bin/cluster

.PHONY: test
test: ## install what the tests need, then run all of them; a skipped test is a failure
	@.ci/install
	@$(MAKE) --no-print-directory web/node_modules
	@mkdir -p .cache
	CGO_ENABLED=1 go tool gotestsum --format pkgname --jsonfile .cache/test.json -- -race -timeout 20m -parallel 4 ./...
	@! grep '"Action":"skip"' .cache/test.json | grep '"Test":' || { echo 'A test was skipped.'; exit 1; }
	go test -run 'NothingAnsweredIsUndone|^TestSimulation$$' ./room # all of them, for which the race detector is too slow
	go run ./cmd/prove --fuzz 10s

.PHONY: lint
lint: ## gofmt, vet, staticcheck
	@files=$$(gofmt -l cmd deploy hub room store web/*.go web/build); [ -z "$$files" ] || { echo "gofmt would change: $$files"; exit 1; }
	go vet ./...
	go tool staticcheck ./...

web/node_modules: web/package-lock.json
	cd web && npm ci --no-audit --no-fund --silent
	@touch $@

.PHONY: generate
generate: web/node_modules ## check the pages' types and build them again (needs npm)
	cd web && npx --no-install tsc --noEmit -p .
	go generate ./...

.PHONY: generated
generated: generate ## fail if the built pages are not those of the sources
	git diff --exit-code -- web/dist
	@new=$$(git status --porcelain -- web/dist); [ -z "$$new" ] || { echo "not committed: $$new"; exit 1; }

.PHONY: check
check: lint generated test ## all that has to pass before a commit

.PHONY: fuzz
fuzz: ## try random messages, passports, commands and settings for FUZZTIME (5m) each
	go run ./cmd/prove --fuzz $(FUZZTIME)

.PHONY: prove
prove: ## prove what is promised, within PROVE (90m) in all, and write .cache/proof.md
	@.ci/install
	@$(MAKE) --no-print-directory web/node_modules
	@go run ./cmd/prove --for $(PROVE)

.PHONY: bench
bench: build ## measure: the hot pieces, joins on two instances, a storm; fail if a hot piece allocates more than before
	@.ci/install cluster
	.ci/bench
	go test -run '^$$' -bench . -benchmem ./room ./hub ./store
	go test -run '^$$' -bench '^BenchmarkJoin$$' -benchtime 1x ./cmd/lectern
	go test -run '^$$' -bench LoneJoin -benchtime 300x ./cmd/lectern
	./bin/lectern bench storm
