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
	$$(Q)clang $($(1)_FLAGS) $$(CPPFLAGS_OWN) $$(PKG_CFLAGS_ONCE) $$(CSTD) $$(WARN) -O1 -g -fno-strict-aliasing $$(FUZZ_FLAGS) -o $$@ \
		$($(1)_SRCS) $$(call pkglibs,$(1)) -lpthread
endef
$(foreach p,$(FUZZERS),$(eval $(call fuzzer_rule,$(p))))
fuzzers: $(FUZZERS:%=build/fuzz/%)

# Each for FUZZ_SECONDS, from its seeds and from what earlier runs found (build/fuzz/found).
FUZZ_SECONDS ?= 20
.PHONY: fuzz
fuzz: fuzzers
	@for name in $(FUZZERS); do \
		mkdir -p build/fuzz/found/$$name; \
		echo "  FUZZ  $$name ($(FUZZ_SECONDS) s)"; \
		build/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 \
			-artifact_prefix=build/fuzz/$$name- build/fuzz/found/$$name \
			$$(ls -d tests/fuzz/seeds/$${name#fuzz_} 2>/dev/null) >build/fuzz/$$name.log 2>&1 || \
			{ tail -n 60 build/fuzz/$$name.log; exit 1; }; \
		grep -aE 'number_of_executed_units|DONE' build/fuzz/$$name.log; \
	done
