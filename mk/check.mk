# SPDX-License-Identifier: MIT
# Checks of the sources: layers, fuzz targets, static analysis.

# ---- layers: who may include whom (docs/ARCHITECTURE.md) ---------------------------------------
.PHONY: check-layers fuzzers
check-layers:
	@sh mk/check-layers.sh

# ---- fuzz targets: clang's libFuzzer, built apart from everything else ---------------------------
FUZZ_FLAGS := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
define fuzzer_rule
build/fuzz/$(1): $($(1)_SRCS) $(MAKEFILE_LIST)
	@mkdir -p $$(@D)
	@echo "  FUZZ  $$@"
	$$(Q)clang $$(CPPFLAGS_OWN) $$(PKG_CFLAGS_ONCE) $$(CSTD) $$(WARN) -O1 -g -fno-strict-aliasing $$(FUZZ_FLAGS) -o $$@ \
		$($(1)_SRCS) $$(call pkglibs,$(1)) -lpthread
endef
$(foreach p,$(FUZZERS),$(eval $(call fuzzer_rule,$(p))))
fuzzers: $(FUZZERS:%=build/fuzz/%)
