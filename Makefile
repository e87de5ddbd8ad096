# gpumeter. `make` prints the targets.

# cgo writes its input to TMPDIR, and the C compiler looks for headers there
# first: a stray nvml.h in the common temp folder would break the agent's build.
export TMPDIR := $(CURDIR)/.tmp
$(shell mkdir -p $(TMPDIR))

# The driver's header warns of each of its old functions that the binding has.
export CGO_CFLAGS := -O2 -g -Wno-deprecated-declarations

GO      ?= go
VERSION ?= $(shell git describe --tags --always --abbrev=12 --dirty 2>/dev/null || echo dev)
# grpcnotrace: gRPC's debug pages are templates, and whoever links templates
# keeps every exported method (docs/adr/0007).
BUILD   := $(GO) build -trimpath -buildvcs=false -tags grpcnotrace
LINK    := -s -w -X main.version=$(VERSION)
TOOL    := $(GO) tool -modfile=tools/go.mod

.DEFAULT_GOAL := help
.PHONY: help tools build sim run test lint race fuzz torture e2e e2e-slurm e2e-clickhouse e2e-kubernetes chart servers bench bench-plot screenshot gpu-check dashboards man clean

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tools: ## check that everything the build needs is installed
	@command -v $(GO) >/dev/null || { echo "go is missing: install Go 1.26 or newer from https://go.dev/dl/"; exit 1; }
	@command -v gcc  >/dev/null || { echo "gcc is missing: apt-get install gcc"; exit 1; }
	@command -v g++  >/dev/null || { echo "g++ is missing: apt-get install g++"; exit 1; }
	@command -v git  >/dev/null || { echo "git is missing: apt-get install git"; exit 1; }
	@v=$$($(GO) env GOVERSION); case $$v in go1.[0-9]|go1.[0-9].*|go1.1[0-9]*|go1.2[0-5]*) \
		echo "go is $$v: gpumeter needs Go 1.26 or newer"; exit 1;; esac

build: tools sim ## build bin/gpumeter, bin/gpumeter-agent and the simulated driver
	$(BUILD) -ldflags "$(LINK)" -o bin/ ./cmd/gpumeter-agent
	$(BUILD) -ldflags "$(LINK)" -o bin/ ./cmd/gpumeter

sim: tools ## build the simulated driver library into bin/sim
	@$(GO) mod download github.com/NVIDIA/go-nvml
	@$(MAKE) --no-print-directory -C sim/driver OUT=$(CURDIR)/bin/sim

run: build ## show the whole product on a simulated fleet (or on this machine's GPUs)
	@bin/gpumeter demo

# The tests take the simulated driver from here instead of building their own.
test race e2e: export GPUMETER_SIM_DIR := $(CURDIR)/bin/sim

test: tools sim ## run every test that needs no server
	$(GO) vet ./...
	$(GO) test ./...

race: tools sim ## run the tests under the race detector
	$(GO) test -race ./...

lint: tools ## run the linters
	$(TOOL) golangci-lint run ./...

# go test runs one fuzz target at a time.
FUZZTIME ?= 30s
fuzz: tools ## run every fuzz target for FUZZTIME (30s)
	@set -e; for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
			echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p; \
		done; done

ROUNDS ?= 1000
torture: tools ## 10,000 random fleets; kill agent and collector ROUNDS (1000) times while they send
	$(GO) test -count=1 -timeout 4h -run 'TestPlaceAndBuildAgreeWithSlowCalculation|TestOrderOfInputsDoesNotMatter' ./contract -fleets 10000
	GPUMETER_KILL_ROUNDS=$(ROUNDS) $(GO) test -count=1 -timeout 4h -v -run 'TestKill' ./cmd/gpumeter

# The servers of tools/go.mod take minutes to build once.
SERVERS := github.com/prometheus/prometheus/cmd/prometheus \
	github.com/prometheus/prometheus/cmd/promtool \
	github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics

servers: tools ## build and install the servers that make e2e talks to
	@command -v influxd >/dev/null || { echo "installing influxdb"; apt-get update -qq && apt-get install -y -qq influxdb >/dev/null; }
	@mkdir -p bin/tools
	$(GO) build -modfile=tools/go.mod -o bin/tools/ $(SERVERS)

e2e: build servers ## run the tests against real Prometheus, InfluxDB and VictoriaMetrics
	GPUMETER_E2E_BIN=$(CURDIR)/bin/tools GPUMETER_BIN=$(CURDIR)/bin/gpumeter $(GO) test -count=1 -timeout 30m -v -tags e2e -skip Slurm ./e2e/...

e2e-slurm: export GPUMETER_SIM_DIR := $(CURDIR)/bin/sim
e2e-slurm: build ## as root: run jobs of a real Slurm on simulated GPUs, and look for them on record
	@command -v slurmd >/dev/null && command -v munged >/dev/null || { echo "installing Slurm"; apt-get update -qq && apt-get install -y -qq slurmctld slurmd slurm-client munge >/dev/null; }
	GPUMETER_E2E_BIN=$(CURDIR)/bin $(GO) test -count=1 -tags e2e -run Slurm -v ./e2e/...

# ClickHouse of 2018 and ZooKeeper are Debian's. Today's ClickHouse is a library
# in an npm package; without npm, its test is skipped.
CHDB := $(CURDIR)/bin/tools/libchdb.so

e2e-clickhouse: build ## run collectors against a real ClickHouse cluster
	@command -v clickhouse-server >/dev/null && [ -e /usr/share/java/zookeeper.jar ] || { echo "installing clickhouse-server and zookeeper"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends clickhouse-server zookeeper default-jre-headless >/dev/null; }
	@mkdir -p bin/tools; [ -e $(CHDB) ] || ! command -v npm >/dev/null || { echo "fetching libchdb (560 MB)"; \
		cd $(TMPDIR) && npm pack --silent @chdb/lib-linux-x64-gnu@26.5.3 >/dev/null && tar xzf chdb-lib-linux-x64-gnu-26.5.3.tgz package/libchdb.so \
		&& mv package/libchdb.so $(CHDB) && rm -r chdb-lib-linux-x64-gnu-26.5.3.tgz package; }
	GPUMETER_BIN=$(CURDIR)/bin/gpumeter GPUMETER_CHDB=$$(ls $(CHDB) 2>/dev/null) \
		$(GO) test -count=1 -timeout 2h -v -tags e2e_clickhouse ./e2e/clickhouse

# The servers of Kubernetes and Helm are built from modules of their own, which
# takes minutes once. They know their version from the linker.
KUBERNETES := v1.37.2
OPERATOR   := github.com/prometheus-operator/prometheus-operator@v0.85.0

e2e-kubernetes: build ## ask a real Kubernetes API server what the agent asks, and install the chart there
	@command -v etcd >/dev/null || { echo "installing etcd"; apt-get update -qq && apt-get install -y -qq etcd-server >/dev/null; }
	@mkdir -p bin/tools
	cd tools/kubernetes && $(GO) build -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$(KUBERNETES)" -o $(CURDIR)/bin/tools/ tool
	cd packaging/helm && $(GO) build -ldflags "-s -w" -o $(CURDIR)/bin/tools/ tool
	GPUMETER_CRDS=$$($(GO) mod download -json $(OPERATOR) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/example/prometheus-operator-crd \
		GPUMETER_BIN=$(CURDIR)/bin GPUMETER_E2E_BIN=$(CURDIR)/bin/tools $(GO) test -count=1 -v -tags e2e_kubernetes ./e2e/kubernetes

chart: tools ## render the Helm chart with six sets of values and hold it to Kubernetes' types
	cd packaging/helm && $(GO) vet ./... && $(GO) test ./...

# BENCH narrows the rows by their names in the table. The plot is apart: it
# takes as long as the table.
BENCH ?=
bench bench-plot: export GPUMETER_SIM_DIR := $(CURDIR)/bin/sim
bench: tools sim ## measure what is held to a figure, beside the bare engine, and print one table; BENCH=REGEX narrows it
	@$(GO) run ./bench -run '$(BENCH)'

bench-plot: tools ## measure how reports grow with fleet and span, and draw docs/performance.svg
	@$(GO) run ./bench -plot docs/performance.svg

screenshot: build ## take the picture of the README anew: the demo's page in Chromium
	@command -v chromium >/dev/null || { echo "installing chromium"; apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }
	@$(GO) run ./docs/img

gpu-check: build ## on a machine with GPUs: ask the driver for everything, measure the agent, print a page for docs/hardware
	@bin/gpumeter-agent probe

include packaging/packages.mk

dashboards: tools ## write the dashboards, rules and runbooks anew from their tables
	$(GO) generate ./dashboards

man: build ## write the man pages to bin/man
	@mkdir -p bin/man && bin/gpumeter man bin/man && bin/gpumeter-agent man bin/man

clean: ## remove what was built
	rm -rf bin .tmp
