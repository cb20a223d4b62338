# SPDX-License-Identifier: MIT
BENCH_KERNELS := vecadd sgemm reduce stencil2d nbody sha256
# The set and its runner, which both programs and their tests share.
BENCH_SET_SRCS := benchmarks/cl.c benchmarks/session.c benchmarks/runner.c benchmarks/stats.c \
	benchmarks/json.c benchmarks/option_reader.c benchmarks/options.c benchmarks/kernels/kernel.c \
	benchmarks/kernels/sha256_reference.c $(BENCH_KERNELS:%=benchmarks/kernels/%.c)

PROGRAMS += vgpu-bench
vgpu-bench_SRCS := benchmarks/main.c benchmarks/report.c $(BENCH_SET_SRCS)
vgpu-bench_PKGS := OpenCL
vgpu-bench_LIBS := -lm

# OpenCL sources are embedded by .incbin, which the compiler's dependency files do not see.
$(foreach k,$(BENCH_KERNELS),$(eval $(BUILD)/obj/benchmarks/kernels/$(k).o: benchmarks/kernels/$(k).cl))

# Without path/main.c, for its tests.
BENCH_PATH_SRCS := benchmarks/path/path_options.c benchmarks/path/samples.c benchmarks/path/measure.c benchmarks/path/work.c \
	benchmarks/path/side.c benchmarks/path/line.c benchmarks/path/results.c benchmarks/path/rows.c \
	benchmarks/path/launch.c benchmarks/path/machine.c benchmarks/path/path_report.c \
	benchmarks/path/compare.c

PROGRAMS += vgpu-bench-path
vgpu-bench-path_SRCS := benchmarks/path/main.c $(BENCH_PATH_SRCS) $(BENCH_SET_SRCS)
vgpu-bench-path_PKGS := OpenCL
vgpu-bench-path_LIBS := -lm

# Without fairness/main.c, for its tests.
BENCH_FAIRNESS_SRCS := $(addprefix benchmarks/fairness/,client_options.c client.c load.c attack.c spin.c meter.c calibration.c progress.c phases.c \
	shares.c figures.c)

PROGRAMS += vgpu-bench-fairness
vgpu-bench-fairness_SRCS := benchmarks/fairness/main.c $(BENCH_FAIRNESS_SRCS) $(BENCH_PATH_SRCS) $(BENCH_SET_SRCS)
vgpu-bench-fairness_PKGS := OpenCL
vgpu-bench-fairness_LIBS := -lm
$(BUILD)/obj/benchmarks/fairness/spin.o: benchmarks/fairness/spin.cl
