# SPDX-License-Identifier: MIT
# What is run: demo, test, benchmarks, fresh-check. Each does its own set-up; a second run finds it done.
#
# A recipe that needs what was just installed calls make again: pkg-config is asked anew there.

# The guest's init is linked statically and without sanitizers: it is process 1 of a VM whose C library
# is Debian 13's.
GUEST_INIT := $(BUILD)/bin/vgpu-guest-init
$(GUEST_INIT): vgpu-qemu/launcher/guest_init.c vgpu-qemu/launcher/frame.h $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CPPFLAGS_OWN) $(CSTD) $(WARN) -O2 -fno-strict-aliasing -static -o $@ $<
all: $(GUEST_INIT)

# One job per processor, unless the user said how many.
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
SETUP_ENV := BUILD=$(BUILD)
E2E ?=
SMOKE ?=

.PHONY: deps qemu guest demo test test-san test-smoke test-unit soak-kills fresh-check bench-path
deps:
	@packaging/deps/install.sh build gpu vm test
qemu: deps
	@$(SETUP_ENV) tools/vm/qemu.sh
ifeq ($(SAN),)
guest: deps qemu
	@+$(MAKE) --no-print-directory $(JOBS) all
	@$(SETUP_ENV) tools/vm/guest.sh
	@$(SETUP_ENV) tools/vm/guest.sh overlay
else
# Sanitizers are for the host's side: the guest is the plain build's.
guest:
	@+$(MAKE) --no-print-directory SAN= guest
	@+$(MAKE) --no-print-directory $(JOBS) all
	@ln -sfn ../qemu $(BUILD)/qemu
	@ln -sfn ../guest $(BUILD)/guest
endif

demo:
	@+$(SETUP_ENV) MAKE="$(MAKE)" tools/demo.sh

test: guest
	@$(SETUP_ENV) tests/run.sh $(TESTS:%=$(BUILD)/tests/%) $(E2E)
# Build, unit tests, a VM.
test-smoke: guest
	@$(SETUP_ENV) tests/run.sh $(TESTS:%=$(BUILD)/tests/%) $(SMOKE)
# The hostile guest, OpenCL and isolation with address and undefined-behaviour sanitizers in every process of ours. Of
# vgpu-compute leaks are not looked for: OpenCL runtimes keep memory until the end (mdev/engine/compute/sanitizer.c).
SAN_E2E := tests/e2e/direct_opencl.sh tests/e2e/direct_isolation.sh tests/e2e/direct_hostile.sh
test-san: deps
	@+$(MAKE) --no-print-directory $(JOBS) SAN=address,undefined all
	@BUILD=build/san-address-undefined tests/run.sh $(SAN_E2E)
# Without VMs.
test-unit: deps
	@+$(MAKE) --no-print-directory $(JOBS) all
	@$(SETUP_ENV) tests/run.sh $(TESTS:%=$(BUILD)/tests/%)

# Kills at random moments while a guest boots and computes, many of them; SEED gives the moments.
soak-kills: guest
	@$(SETUP_ENV) DEVICE_KILLS=$${DEVICE_KILLS:-100} KEEPER_KILLS=$${KEEPER_KILLS:-20} VGPUD_KILLS=$${VGPUD_KILLS:-20} \
		REPLACEMENTS=$${REPLACEMENTS:-10} tests/e2e/vm_kills.sh

fresh-check:
	@$(SETUP_ENV) tests/fresh_check.sh

bench-path:
	@packaging/deps/install.sh build gpu demo
	@+$(MAKE) --no-print-directory $(JOBS) all
	@$(SETUP_ENV) tools/bench_path.sh

# The scheduler beside other rules, on a simulated clock: docs/SCHEDULER.md has the table. A minute.
.PHONY: sim-compare
sim-compare:
	@packaging/deps/install.sh build
	@+$(MAKE) --no-print-directory $(JOBS) $(BUILD)/bin/vgpu-sim
	@mkdir -p $(BUILD)/bench
	@$(BUILD)/bin/vgpu-sim compare --json-file $(BUILD)/bench/sim.json
