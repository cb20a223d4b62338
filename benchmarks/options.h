/* SPDX-License-Identifier: MIT */
/* The command line of vgpu-bench, parsed and checked. */
#ifndef BENCHMARKS_OPTIONS_H
#define BENCHMARKS_OPTIONS_H

#include "benchmarks/kernels/kernel.h"

#define KERNELS_MAX 16

enum report_format {
	REPORT_TABLE,
	REPORT_JSON,
	REPORT_CSV,
};

struct chosen_kernel {
	const struct bench_kernel *kernel;
	uint32_t param[BENCH_PARAMS_MAX];
};

/* Strings point into argv. */
struct options {
	const char *platform, *device;	/* NULL: any */
	const char *json_path;		/* NULL: none */
	enum bench_size size;
	enum report_format format;
	uint64_t seed;
	unsigned repeat, warmup;
	bool progress, list, help, version, inject_fault;
	struct chosen_kernel chosen[KERNELS_MAX];
	unsigned chosen_count;
};

/*
 * 0, or -EINVAL with one sentence in `reason` that names the argument, what is wrong with it and what
 * would work. Not for two threads at once (getopt_long).
 */
int options_parse(int argc, char **argv, struct options *ret_options, char *reason, size_t reason_size);
void options_print_help(FILE *out);

#endif
