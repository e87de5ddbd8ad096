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

# Of one commit the same bytes, whoever builds it where and when: make reproduce.
packages images release e2e-packages: export SOURCE_DATE_EPOCH := $(shell git log -1 --format=%ct 2>/dev/null)
packages images release e2e-packages: export TZ := UTC
packages images release e2e-packages: export LC_ALL := C

.PHONY: packages images release reproduce e2e-packages e2e-debian12 cross-tools $(ARCHES:%=stage-%)

# The compilers of the other architecture, as Debian names their packages.
CROSS = $(addsuffix $(if $(filter arm64,$(shell $(GO) env GOARCH)),-x86-64,-aarch64)-linux-gnu,gcc g++)

cross-tools: tools
	@for c in $(foreach a,$(ARCHES),$(TRIPLE_$(a))-gcc $(TRIPLE_$(a))-g++); do \
		command -v $$c >/dev/null || { echo "$$c is missing: apt-get install gcc g++ $(CROSS)"; exit 1; }; done

# Programs of one architecture: bin/stage/ARCH. The C++ library is linked in, so that
# they start on machines with an older one: in the folder where it is looked for first,
# there is no shared one. Go's own identity of a build depends on where it was built.
$(ARCHES:%=stage-%): stage-%: cross-tools
	@rm -rf bin/stage/$*/cxx && mkdir -p bin/stage/$*/cxx
	@$(TRIPLE_$*)-gcc -O2 -c packaging/cxx/arc4random.c -o bin/stage/$*/cxx/arc4random.o
	@cp $$($(TRIPLE_$*)-g++ -print-file-name=libstdc++.a) bin/stage/$*/cxx/libstdc++.a
	@$(TRIPLE_$*)-ar rD bin/stage/$*/cxx/libstdc++.a bin/stage/$*/cxx/arc4random.o
	@$(TRIPLE_$*)-g++ -dumpfullversion >bin/stage/$*/cxx/version
	CGO_ENABLED=1 GOOS=linux GOARCH=$* CC=$(TRIPLE_$*)-gcc CXX=$(TRIPLE_$*)-g++ \
		$(BUILD) -ldflags "$(LINK) -buildid= -extldflags -Lbin/stage/$*/cxx" -o bin/stage/$*/ $(PROGRAMS:%=./cmd/%)

# What is the same on every architecture: bin/stage/common.
.PHONY: stage-common
stage-common: COMMON := bin/stage/common
stage-common: stage-$(shell $(GO) env GOARCH 2>/dev/null)
	@rm -rf $(COMMON) && mkdir -p $(COMMON)/empty
	@packaging/changelog $(PACKAGE_VERSION) yaml >$(COMMON)/changelog.yaml
	@set -e; here=bin/stage/$$($(GO) env GOARCH); for p in $(PROGRAMS); do \
		mkdir $(COMMON)/$$p.man; $$here/$$p man $(COMMON)/$$p.man; gzip -9n $(COMMON)/$$p.man/*.1; \
		for s in bash zsh fish; do $$here/$$p completion $$s >$(COMMON)/$$p.$$s; done; \
		packaging/licenses ./cmd/$$p >$(COMMON)/$$p.licenses; gzip -9n $(COMMON)/$$p.licenses; done

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
	@for c in systemd-nspawn mmdebstrap lintian rpm rpmlint qemu-aarch64 buildah $(foreach a,$(ARCHES),$(TRIPLE_$(a))-g++); do command -v $$c >/dev/null || need=yes; done; \
		[ -z "$$need" ] || { echo "installing what packages are tested with"; apt-get update -qq && apt-get install -y -qq --no-install-recommends \
		systemd-container mmdebstrap lintian rpm rpmlint qemu-user buildah crun $(CROSS) >/dev/null; }
	@$(MAKE) --no-print-directory $(ROOT)
	@$(MAKE) --no-print-directory packages VERSION=$(BEFORE) ARCHES=$$($(GO) env GOARCH) PACKAGES=bin/packages/before KINDS=deb
	@$(MAKE) --no-print-directory packages PACKAGES=bin/packages/now
	@$(MAKE) --no-print-directory -C sim/driver OUT=$(CURDIR)/bin/stage/arm64/sim CC=$(TRIPLE_arm64)-gcc $(CURDIR)/bin/stage/arm64/sim/libnvidia-ml.so.1
	GPUMETER_E2E_ROOT=$(CURDIR)/$(ROOT) GPUMETER_PACKAGES_BEFORE=$(CURDIR)/bin/packages/before GPUMETER_PACKAGES=$(CURDIR)/bin/packages/now \
		GPUMETER_STAGE=$(CURDIR)/bin/stage $(GO) test -count=1 -timeout 30m -v -tags e2e_packages ./e2e/packages

# A Debian with nothing but what the README names, which takes half a minute once.
BARE := bin/tools/bare.tar

$(BARE):
	@mkdir -p $(@D)
	mmdebstrap --quiet --variant=minbase --include=make,g++,git,ca-certificates bookworm $@

e2e-debian12: ## as root: make run and make test of the last commit, by a newcomer on a bare Debian 12
	@command -v systemd-nspawn >/dev/null && command -v mmdebstrap >/dev/null || { echo "installing systemd-container and mmdebstrap"; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends systemd-container mmdebstrap >/dev/null; }
	@$(MAKE) --no-print-directory $(BARE)
	@e2e/debian12/run.sh $(BARE)

# docker build reads the files as well, with --platform. The base is a tag that moves; name
# one by its digest for images that can be built again: make images BASE=…@sha256:….
BASE     := docker.io/library/debian:bookworm-slim
REGISTRY := localhost/gpumeter
images: $(ARCHES:%=stage-%) stage-common ## build the images of both programs, for amd64 and arm64 with buildah
	@set -e; for p in agent:gpumeter-agent collector:gpumeter; do for a in $(ARCHES); do \
		buildah build --platform linux/$$a --timestamp $(SOURCE_DATE_EPOCH) --build-arg BASE=$(BASE) --build-arg VERSION=$(PACKAGE_VERSION) \
			--build-arg REVISION=$$(git rev-parse HEAD) --build-arg CREATED=$$(date -u -d @$(SOURCE_DATE_EPOCH) +%FT%TZ) \
			-f packaging/docker/$${p%:*}.Dockerfile --manifest $(REGISTRY)/$${p#*:}:$(VERSION) .; done; done

# What is linked into a program is in its bill of materials, and the licenses of it
# are beside the program.
release: packages ## programs, packages, checksums, bills of materials and the changelog of a release into bin/release
	@rm -rf $(RELEASE) && mkdir -p $(RELEASE)
	@cp $(PACKAGES)/*.deb $(PACKAGES)/*.rpm $(RELEASE)/
	@packaging/changelog $(PACKAGE_VERSION) >$(RELEASE)/CHANGELOG.md
	@set -e; for a in $(ARCHES); do for p in $(PROGRAMS); do \
		name=$(RELEASE)/$${p}_$(PACKAGE_VERSION)_linux_$$a; \
		tar --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
			-C bin/stage/$$a -c $$p -C $(CURDIR) LICENSE -C bin/stage/common $$p.licenses.gz | gzip -9n >$$name.tar.gz; \
		$(GO) run ./packaging/bom -version $(PACKAGE_VERSION) -epoch $(SOURCE_DATE_EPOCH) -cxx $$(cat bin/stage/$$a/cxx/version) \
			bin/stage/$$a/$$p >$$name.cdx.json; \
	done; done
	@cd $(RELEASE) && sha256sum * >SHA256SUMS && wc -c * | sort -n

reproduce: release ## build the release of the last commit once more, elsewhere, and compare the bytes
	@packaging/reproduce $(RELEASE)
