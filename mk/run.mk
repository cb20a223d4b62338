# SPDX-License-Identifier: MIT
# What is run: demo, test, benchmarks, fresh-check.

# The guest's init is linked statically and without sanitizers: it is process 1 of a VM whose C library
# is Debian 13's.
GUEST_INIT := $(BUILD)/bin/vgpu-guest-init
$(GUEST_INIT): tools/vm/guest_init.c vgpu-qemu/launcher/frame.h $(MAKEFILE_LIST)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CPPFLAGS_OWN) $(CSTD) $(WARN) -O2 -fno-strict-aliasing -static -o $@ $<
all: $(GUEST_INIT)
