# SPDX-License-Identifier: MIT

# benchmarks/: pure parts, then the set on a real OpenCL device.
TESTS += test_bench_stats test_bench_json test_bench_options test_bench_path test_bench_kernels
test_bench_stats_SRCS := tests/benchmarks/test_stats.c benchmarks/stats.c
test_bench_json_SRCS := tests/benchmarks/test_json.c benchmarks/json.c
test_bench_options_SRCS := tests/benchmarks/test_options.c $(BENCH_SET_SRCS)
test_bench_path_SRCS := tests/benchmarks/test_path.c $(BENCH_PATH_SRCS) $(BENCH_SET_SRCS)
test_bench_kernels_SRCS := tests/benchmarks/test_kernels.c $(BENCH_SET_SRCS)
$(foreach t,test_bench_stats test_bench_json test_bench_options test_bench_path test_bench_kernels, \
	$(eval $(t)_PKGS := OpenCL cmocka) $(eval $(t)_LIBS := -lm))
