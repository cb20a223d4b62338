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

# Loses memory on purpose where it is preloaded; for builds with sanitizers.
LEAK_ON_PURPOSE := $(BUILD)/tests/leak_on_purpose.so
$(LEAK_ON_PURPOSE): tests/e2e/leak_on_purpose.c $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CPPFLAGS_OWN) $(CSTD) $(WARN) -O2 -fPIC -shared -o $@ $<
$(if $(findstring address,$(SAN)),all: $(LEAK_ON_PURPOSE))

# One job per processor, unless the user said how many.
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
SETUP_ENV := BUILD=$(BUILD)
E2E ?=
SMOKE ?=
# Those of TESTS, and those of the same sources built another way (vgpu-qemu/sources.mk).
# NAME=VALUE@PROGRAM: once more with that in its environment (tests/run.sh).
TESTS_AGAIN = $(foreach r,$(TEST_RUNS),$(firstword $(subst @, ,$r))@$(BUILD)/tests/$(lastword $(subst @, ,$r)))
UNIT_TESTS = $(TESTS:%=$(BUILD)/tests/%) $(VARIANT_TESTS) $(TESTS_AGAIN)

.PHONY: deps qemu guest demo test test-san test-tsan test-smoke test-unit soak-kills fresh-check bench-opencl bench-path
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

# Applications of the distribution, for the tests that run them.
.PHONY: apps test-apps test-apps-long
ifeq ($(SAN),)
apps: guest
	@packaging/deps/install.sh apps
	@$(SETUP_ENV) tools/vm/guest_apps.sh
else
apps: guest
	@+$(MAKE) --no-print-directory SAN= apps
	@ln -sfn ../guest-apps $(BUILD)/guest-apps
endif
test: guest apps
	@$(SETUP_ENV) tests/run.sh $(UNIT_TESTS) $(E2E)
# Build, unit tests, a VM.
test-smoke: guest
	@$(SETUP_ENV) tests/run.sh $(UNIT_TESTS) $(SMOKE)
# OpenCL, isolation, the hostile guest and kills with address and undefined-behaviour sanitizers in every process of ours, the
# engine's own tests, and proof that each kind of process looks for leaks at its end.
SAN_BUILD := build/san-address-undefined
SAN_TESTS := $(SAN_BUILD)/tests/test_engine $(addprefix tests/e2e/,san_leaks.sh direct_opencl.sh direct_isolation.sh \
	direct_hostile.sh direct_kills.sh)
test-san: deps
	@+$(MAKE) --no-print-directory $(JOBS) SAN=address,undefined all
	@BUILD=$(SAN_BUILD) tests/run.sh $(SAN_TESTS)
# The guest's side under ThreadSanitizer, which knows no fences of memory (-Wtsan), against a service of the plain build.
test-tsan: deps
	@+$(MAKE) --no-print-directory $(JOBS) all
	@+$(MAKE) --no-print-directory $(JOBS) SAN=thread CFLAGS=-Wno-error=tsan build/san-thread/lib/libvgpu-opencl.so \
		build/san-thread/tests/cl-conformance
	@$(SETUP_ENV) CLIENT_BUILD=build/san-thread THREADS_SECONDS=$${THREADS_SECONDS:-20} tests/run.sh tests/e2e/direct_conformance.sh
# Those tests alone; with more hashes, and matrix products of CLBlast: a quarter of an hour.
test-apps: guest apps
	@$(SETUP_ENV) tests/run.sh $(APPS)
test-apps-long: guest apps
	@$(SETUP_ENV) APPS_LONG=1 TEST_TIMEOUT_S=3600 tests/run.sh $(APPS)
# Without VMs.
test-unit: deps
	@+$(MAKE) --no-print-directory $(JOBS) all
	@$(SETUP_ENV) tests/run.sh $(UNIT_TESTS)

# Kills at random moments while a guest boots and computes, many of them; SEED gives the moments.
soak-kills: guest
	@$(SETUP_ENV) DEVICE_KILLS=$${DEVICE_KILLS:-100} KEEPER_KILLS=$${KEEPER_KILLS:-20} VGPUD_KILLS=$${VGPUD_KILLS:-20} \
		REPLACEMENTS=$${REPLACEMENTS:-10} tests/e2e/vm_kills.sh

# Ten minutes of many threads, short lives, kernels out of bounds and kills; what is left is counted.
.PHONY: soak-opencl
soak-opencl: deps
	@+$(MAKE) --no-print-directory $(JOBS) all
	@$(SETUP_ENV) STRESS_SECONDS=$${STRESS_SECONDS:-540} ROUNDS=$${ROUNDS:-6} TEST_TIMEOUT_S=1800 tests/run.sh tests/e2e/direct_stress.sh

fresh-check:
	@$(SETUP_ENV) tests/fresh_check.sh

# ARGS go to vgpu-bench-path compare: ARGS="--only work --launches 2".
bench-opencl:
	@packaging/deps/install.sh build gpu demo
	@+$(MAKE) --no-print-directory $(JOBS) all
	@$(SETUP_ENV) tools/bench_path.sh --out $(BUILD)/bench/opencl.json $(ARGS)
# Its name of before.
bench-path:
	@+$(MAKE) --no-print-directory bench-opencl ARGS="--out $(BUILD)/bench/path.json $(ARGS)"
# The shares that vGPUs get of a GPU, counted at their clients. ARGS go to the script: ARGS="--only shares --vgpus 2".
.PHONY: bench-fairness bench-realtime
bench-fairness:
	@packaging/deps/install.sh build gpu demo
	@+$(MAKE) --no-print-directory $(JOBS) all
	@$(SETUP_ENV) tools/bench_fairness.sh $(ARGS)
# Of these, frames beside busy neighbours.
bench-realtime:
	@+$(MAKE) --no-print-directory bench-fairness ARGS="--only realtime --out $(BUILD)/bench/realtime.json $(ARGS)"

# The scheduler beside other rules, on a simulated clock: docs/SCHEDULER.md has the table. A minute.
.PHONY: sim-compare
sim-compare:
	@packaging/deps/install.sh build
	@+$(MAKE) --no-print-directory $(JOBS) $(BUILD)/bin/vgpu-sim
	@mkdir -p $(BUILD)/bench
	@$(BUILD)/bin/vgpu-sim compare --json-file $(BUILD)/bench/sim.json
