# Packages and releases. Both programs are cross-built with cgo for each of ARCHES.
ARCHES       := amd64 arm64
TRIPLE_amd64 := x86_64-linux-gnu
TRIPLE_arm64 := aarch64-linux-gnu
KINDS        := deb rpm
PROGRAMS     := gpumeter-agent gpumeter
RELEASE_TOOL := $(GO) tool -modfile=tools/release/go.mod
PACKAGES     ?= bin/packages
RELEASE      := bin/release

PACKAGE_VERSION = $(shell packaging/version $(VERSION))

# Of one commit the same bytes, whoever builds it when.
packages release e2e-packages: export SOURCE_DATE_EPOCH := $(shell git log -1 --format=%ct 2>/dev/null)
packages release e2e-packages: export TZ := UTC

.PHONY: packages release e2e-packages cross-tools $(ARCHES:%=stage-%)

# The compilers of the other architecture, as Debian names their packages.
CROSS = $(addsuffix $(if $(filter arm64,$(shell $(GO) env GOARCH)),-x86-64,-aarch64)-linux-gnu,gcc g++)

cross-tools: tools
	@for c in $(foreach a,$(ARCHES),$(TRIPLE_$(a))-gcc $(TRIPLE_$(a))-g++); do \
		command -v $$c >/dev/null || { echo "$$c is missing: apt-get install gcc g++ $(CROSS)"; exit 1; }; done

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
	@set -e; for a in $(ARCHES); do for p in $(PROGRAMS); do for k in $(KINDS); do \
		ARCH=$$a PROGRAM=bin/stage/$$a/$$p PACKAGE_VERSION=$(PACKAGE_VERSION) \
			$(RELEASE_TOOL) nfpm package -f packaging/nfpm/$$p.yaml -p $$k -t $(PACKAGES)/; done; done; done
	@ls -l $(PACKAGES)

# The version before, for the upgrade, and a Debian to boot, which takes half a
# minute once.
BEFORE := v0.0.0-alpha.1
ROOT   := bin/tools/bookworm.tar

$(ROOT):
	@mkdir -p $(@D)
	mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,procps bookworm $@

e2e-packages: export GPUMETER_SIM_DIR := $(CURDIR)/bin/sim
e2e-packages: sim ## as root: install the packages in a real systemd, upgrade, remove and purge them; start those of arm64 under emulation
	@for c in systemd-nspawn mmdebstrap lintian rpm qemu-aarch64 $(foreach a,$(ARCHES),$(TRIPLE_$(a))-g++); do command -v $$c >/dev/null || need=yes; done; \
		[ -z "$$need" ] || { echo "installing what packages are tested with"; apt-get update -qq && apt-get install -y -qq --no-install-recommends \
		systemd-container mmdebstrap lintian rpm qemu-user $(CROSS) >/dev/null; }
	@$(MAKE) --no-print-directory $(ROOT)
	@$(MAKE) --no-print-directory packages VERSION=$(BEFORE) ARCHES=$$($(GO) env GOARCH) PACKAGES=bin/packages/before KINDS=deb
	@$(MAKE) --no-print-directory packages PACKAGES=bin/packages/now
	@$(MAKE) --no-print-directory -C sim/driver OUT=$(CURDIR)/bin/stage/arm64/sim CC=$(TRIPLE_arm64)-gcc $(CURDIR)/bin/stage/arm64/sim/libnvidia-ml.so.1
	GPUMETER_E2E_ROOT=$(CURDIR)/$(ROOT) GPUMETER_PACKAGES_BEFORE=$(CURDIR)/bin/packages/before GPUMETER_PACKAGES=$(CURDIR)/bin/packages/now \
		GPUMETER_STAGE=$(CURDIR)/bin/stage $(GO) test -count=1 -timeout 30m -v -tags e2e_packages ./e2e/packages
