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

extern const char *const bench_size_names[BENCH_SIZES];

/*
 * 0, or -EINVAL with one sentence in `reason` that names the argument, what is wrong with it and what
 * would work. Not for two threads at once (getopt_long).
 */
int options_parse(int argc, char **argv, struct options *ret_options, char *reason, size_t reason_size);
void options_print_help(FILE *out);

/* "small", "medium", "large"; -EINVAL with a reason. */
int options_parse_size(const char *text, enum bench_size *ret_size, char *reason, size_t reason_size);
/* A decimal number in [min, max], and nothing behind it; -EINVAL with a reason that names `what`. */
int options_parse_number(const char *text, const char *what, uint64_t min, uint64_t max,
	uint64_t *ret_value, char *reason, size_t reason_size);

#endif
