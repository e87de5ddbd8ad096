# Packages and releases. Both programs are cross-built with cgo for each of ARCHES.
ARCHES       := amd64 arm64
TRIPLE_amd64 := x86_64-linux-gnu
TRIPLE_arm64 := aarch64-linux-gnu
PROGRAMS     := gpumeter-agent gpumeter
RELEASE_TOOL := $(GO) tool -modfile=tools/release/go.mod
PACKAGES     ?= bin/packages
RELEASE      := bin/release

PACKAGE_VERSION = $(shell packaging/version $(VERSION))

# Of one commit the same bytes, whoever builds it when.
packages release e2e-packages e2e-arm64: export SOURCE_DATE_EPOCH := $(shell git log -1 --format=%ct 2>/dev/null)
packages release e2e-packages e2e-arm64: export TZ := UTC

.PHONY: packages release e2e-packages e2e-arm64 cross-tools $(ARCHES:%=stage-%)

cross-tools: tools
	@for c in $(foreach a,$(ARCHES),$(TRIPLE_$(a))-gcc $(TRIPLE_$(a))-g++); do \
		command -v $$c >/dev/null || { echo "$$c is missing: apt-get install gcc-$${c%-g*} g++-$${c%-g*}"; exit 1; }; done

# Programs of one architecture: bin/stage/ARCH.
$(ARCHES:%=stage-%): stage-%: cross-tools
	@mkdir -p bin/stage/$*
	CGO_ENABLED=1 GOOS=linux GOARCH=$* CC=$(TRIPLE_$*)-gcc CXX=$(TRIPLE_$*)-g++ $(BUILD) -o bin/stage/$*/ $(PROGRAMS:%=./cmd/%)

# What is the same on every architecture: bin/stage/common.
.PHONY: stage-common
stage-common: COMMON := bin/stage/common
stage-common: stage-$(shell $(GO) env GOARCH 2>/dev/null)
	@rm -rf $(COMMON) && mkdir -p $(COMMON)
	@packaging/changelog $(PACKAGE_VERSION) yaml >$(COMMON)/changelog.yaml
	@set -e; here=bin/stage/$$($(GO) env GOARCH); for p in $(PROGRAMS); do \
		mkdir $(COMMON)/$$p.man; $$here/$$p man $(COMMON)/$$p.man; gzip -9n $(COMMON)/$$p.man/*.1; \
		for s in bash zsh fish; do $$here/$$p completion $$s >$(COMMON)/$$p.$$s; done; \
		packaging/licenses ./cmd/$$p | gzip -9n >$(COMMON)/$$p.licenses.gz; done

packages: $(ARCHES:%=stage-%) stage-common ## build deb and rpm of both programs for amd64 and arm64
	@rm -rf $(PACKAGES) && mkdir -p $(PACKAGES)
	@set -e; for a in $(ARCHES); do for p in $(PROGRAMS); do for k in deb rpm; do \
		ARCH=$$a PROGRAM=bin/stage/$$a/$$p PACKAGE_VERSION=$(PACKAGE_VERSION) \
			$(RELEASE_TOOL) nfpm package -f packaging/nfpm/$$p.yaml -p $$k -t $(PACKAGES)/; done; done; done
	@ls -l $(PACKAGES)
