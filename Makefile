# SPDX-License-Identifier: GPL-2.0
#
# What to type. The objects of the module are listed in Kbuild; everything else that is
# built goes below build/.

# The kernel's own make files come back here only when Kbuild is missing.
ifneq ($(KERNELRELEASE),)
$(error the module is described in Kbuild)
endif

KVER ?= $(shell scripts/kernel-version 2>/dev/null)
KDIR ?= /lib/modules/$(KVER)/build
DESTDIR ?=
PREFIX ?= /usr
CLOSED ?=
SEEDS ?= 10

kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR) CLOSED=$(CLOSED)
share = $(DESTDIR)$(PREFIX)/share
# Debian's headers have neither the key that its configuration wants modules signed with
# nor the System.map without which the kernel's make files run no depmod.
unsigned = $(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=)

.PHONY: all
all: module vmm

.PHONY: help
help:
	@echo 'make                  build umbra.ko, the umbra command and the tiny guests'
	@echo 'make run              see guests run on /dev/umbra in the emulated host'
	@echo 'make bench            what memory costs guests in each mode, in instructions'
	@echo 'make check            all checks and tests; CHECKS="style unit" only those'
	@echo 'make check-full       the same, and on Intel as much as on AMD: takes hours'
	@echo 'make check-debug      the kselftests on a kernel full of checkers'
	@echo 'make storm SEEDS=N    N random guests that must see the same in all modes'
	@echo 'make lab              a shell in the emulated host'
	@echo 'make style            what the checks say about the style of the sources'
	@echo 'make docs             the documents as HTML, in build/docs'
	@echo 'make modules_install  install umbra.ko for the kernel of KDIR'
	@echo 'make install          install the umbra command, udev rule, man pages, completion'
	@echo 'make clean            remove what was built; build/cache with downloads stays'
	@echo
	@echo 'KDIR=FOLDER           kernel to build for (default: linux-headers-amd64)'
	@echo 'CLOSED=1              do without symbols that newer kernels close to modules'
	@echo 'DESTDIR=, PREFIX=     where install puts things'

# Debian packages that are missing are installed, and named.
.PHONY: setup
setup:
	@scripts/setup --check >/dev/null || scripts/setup

.PHONY: module
module: setup
	+$(kbuild) modules
	@mkdir -p build
	@cmp -s umbra.ko build/umbra.ko || cp umbra.ko build/umbra.ko

# The umbra command and its tiny guests.
.PHONY: vmm
vmm: setup
	+$(MAKE) -C userspace-vmm

.PHONY: lab
lab: all
	scripts/lab --shell --add build

.PHONY: run
run: all
	scripts/run

.PHONY: bench
bench: all
	scripts/bench

# One program compares all modes; UMBRA_STORM_FIRST and UMBRA_STORM_STEPS as storm_test says.
.PHONY: storm
storm: all
	UMBRA_STORM_SEEDS=$(SEEDS) UMBRA_TEST_TIMEOUT=36000 \
		selftests/run-in-lab --mmu none --timeout 40000 storm_test

.PHONY: check
check: setup
	scripts/check $(CHECKS)

.PHONY: check-full
check-full: setup
	scripts/check --full

.PHONY: check-debug
check-debug: setup
	scripts/check debug

.PHONY: style
style: setup
	scripts/check-style

.PHONY: docs
docs: setup
	scripts/check-docs

.PHONY: modules_install
modules_install: module
	+$(kbuild) INSTALL_MOD_PATH=$(DESTDIR) $(unsigned) modules_install
	test -n "$(DESTDIR)" || \
		/sbin/depmod "$$(/sbin/modinfo -F vermagic umbra.ko | cut -d' ' -f1)"

.PHONY: install
install: vmm
	install -D -m 755 build/umbra $(DESTDIR)$(PREFIX)/bin/umbra
	install -D -m 644 scripts/60-umbra.rules $(DESTDIR)/lib/udev/rules.d/60-umbra.rules
	install -D -m 644 userspace-vmm/umbra.1 $(share)/man/man1/umbra.1
	install -D -m 644 userspace-vmm/umbra.bash-completion \
		$(share)/bash-completion/completions/umbra

.PHONY: clean
clean:
	find . -path ./build -prune -o -type f \( -name '*.o' -o -name '*.o.d' -o \
		-name '.*.cmd' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \) \
		-exec rm -f {} +
	rm -f modules.order Module.symvers
	test ! -d build || find build -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +
