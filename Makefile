# SPDX-License-Identifier: MIT
# vgpud: build, test and demonstrate.
#
# Reads top to bottom: settings, what is built (one sources.mk per folder, which only lists), how it
# is built, how it is tested, the two commands of the README.
#
#   make            everything, into build/
#   make demo       two VMs share one GPU          (installs what it needs, saying so)
#   make test       every test                     (the same)
#   make test-apps  applications of the distribution on a vGPU (make test-apps-long: more of them)
#   make soak-kills 150 kills and replacements while a guest computes
#   make bench-opencl what the way to the GPU costs  (build/bench/opencl.json)
#   make bench-fairness the shares that vGPUs get  (build/bench/fairness.json)
#   make bench-realtime frames beside busy vGPUs   (build/bench/realtime.json)
#   make sim-compare the scheduler beside others  (build/bench/sim.json)
#
# Variables: CC=gcc|clang, SAN=address,undefined|thread (own build folder), V=1 shows commands,
# DEBUG=1 builds with -O0.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

# ---- settings --------------------------------------------------------------------------------
CC := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
SAN ?=
comma := ,
BUILD ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
Q := $(if $(V),,@)
PKG_CONFIG ?= pkg-config

# Every library any part uses; each program links only the ones its sources.mk names. pkg-config is
# asked late (`=`), so that `make demo` can install it first.
ALL_PKGS := OpenCL libdrm libmicrohttpd jansson libsystemd cmocka libseccomp libcap-ng smartcols
PKG_CFLAGS = $(foreach p,$(ALL_PKGS),$(shell $(PKG_CONFIG) --cflags $(p) 2>/dev/null))

CSTD := -std=gnu17
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough
OPT := $(if $(DEBUG),-O0,-O2)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
VERSION := $(shell cat VERSION)
CPPFLAGS_OWN = -I. -D_GNU_SOURCE -DCL_TARGET_OPENCL_VERSION=300 -DVGPU_VERSION='"$(VERSION)"'
CFLAGS_OWN = $(CSTD) $(WARN) $(OPT) -g -fPIC -fvisibility=hidden -fno-strict-aliasing \
	$(if $(SAN),,-fstack-protector-strong) $(SANFLAGS)
LDFLAGS_OWN = -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS)

# ---- what is built ---------------------------------------------------------------------------
# A sources.mk adds to these lists:
#   PROGRAMS  += NAME   with NAME_SRCS, NAME_PKGS (pkg-config names), NAME_LIBS (-lm ...)
#   LIBRARIES += NAME   a shared object build/lib/NAME, same variables, and NAME_MAP (version script)
#   TESTS     += NAME   a cmocka program of tests/, same variables; run by `make test`
#   TEST_RUNS += VARIABLE=VALUE@NAME   one of TESTS, run once more with that in its environment
#   TEST_PROGRAMS += NAME   what tests start; FUZZERS += NAME   built by `make fuzzers` (clang)
PROGRAMS :=
LIBRARIES :=
TESTS :=
TEST_RUNS :=
TEST_PROGRAMS :=
FUZZERS :=
include scheduler/sources.mk mdev/sources.mk vgpu-qemu/sources.mk shim/sources.mk tools/sources.mk \
	benchmarks/sources.mk tests/sources.mk

# ---- how it is built -------------------------------------------------------------------------
objs = $(patsubst %.c,$(BUILD)/obj/%.o,$($(1)_SRCS))
pkglibs = $(foreach p,$($(1)_PKGS),$(shell $(PKG_CONFIG) --libs $(p))) $($(1)_LIBS)

define program_rule
$(BUILD)/$(2)/$(1): $(call objs,$(1)) $(MAKEFILE_LIST)
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $$(LDFLAGS_OWN) -o $$@ $$(filter %.o,$$^) $$(call pkglibs,$(1)) -lpthread
ALL_OBJS += $(call objs,$(1))
endef
define library_rule
$(BUILD)/lib/$(1): $(call objs,$(1)) $($(1)_MAP) $(MAKEFILE_LIST)
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $$(LDFLAGS_OWN) -shared -Wl,-soname,$(1) -Wl,-z,nodelete $(if $($(1)_MAP),-Wl$(comma)--version-script=$($(1)_MAP)) \
		-o $$@ $$(filter %.o,$$^) $$(call pkglibs,$(1)) -lpthread
ALL_OBJS += $(call objs,$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p),bin)))
$(foreach p,$(TESTS) $(TEST_PROGRAMS),$(eval $(call program_rule,$(p),tests)))
$(foreach p,$(LIBRARIES),$(eval $(call library_rule,$(p))))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS_OWN) $(PKG_CFLAGS_ONCE) $(CFLAGS_OWN) $(CFLAGS) -MMD -MP -c -o $@ $<
# Asked once per run of make, not once per object.
PKG_CFLAGS_ONCE = $(eval PKG_CFLAGS_ONCE := $$(PKG_CFLAGS))$(PKG_CFLAGS_ONCE)

-include $(sort $(ALL_OBJS:.o=.d))

.PHONY: all clean
all: $(PROGRAMS:%=$(BUILD)/bin/%) $(LIBRARIES:%=$(BUILD)/lib/%) $(TESTS:%=$(BUILD)/tests/%) \
	$(TEST_PROGRAMS:%=$(BUILD)/tests/%)
clean:
	rm -rf $(BUILD)/obj $(BUILD)/bin $(BUILD)/lib $(BUILD)/tests

include mk/check.mk mk/run.mk
