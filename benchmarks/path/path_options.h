/* SPDX-License-Identifier: MIT */
/* The command line of vgpu-bench-path: what one side measures, and what a comparison launches. */
#ifndef BENCHMARKS_PATH_PATH_OPTIONS_H
#define BENCHMARKS_PATH_PATH_OPTIONS_H

#include "benchmarks/kernels/kernel.h"

#define ENVIRONMENT_MAX 32
#define LAUNCHES_MAX 64

/* A comparison launches each kernel of the set so often in every round. */
#define SET_TURNS 2

/* What both verbs take. Strings point into argv. */
struct side_options {
	const char *platform, *device;	/* NULL: any; a comparison has them per side instead */
	const char *only;		/* comma-separated names or groups; NULL: everything */
	enum bench_size size;		/* of the set */
	unsigned repeat;		/* of each kernel of the set */
	uint64_t max_bytes;		/* larger transfers are left out */
};

/* NAME=VALUE strings, on the heap. */
struct environment {
	char *entry[ENVIRONMENT_MAX];
	unsigned count;
};

struct compare_options {
	struct side_options side;
	const char *native_platform, *vgpu_platform;
	struct environment native, vgpu, vgpu_basic;
	const char *out_path;
	unsigned launches;		/* of each side: rounds */
	unsigned timeout_s;		/* of one launch */
	bool progress;
};

/* Both: 0, -EINVAL or -ENOMEM with one sentence in `reason`. argv[0] is the verb. */
int side_options_parse(int argc, char **argv, struct side_options *ret_options, char *reason,
	size_t reason_size);
int compare_options_parse(int argc, char **argv, struct compare_options *ret_options, char *reason,
	size_t reason_size);
void compare_options_finish(struct compare_options *options);

/*
 * Appends the entries of "NAME=VALUE,NAME=VALUE"; a comma or backslash inside a value is written with
 * a backslash before it. -EINVAL or -ENOMEM with a reason; what was appended before stays.
 */
int environment_parse(const char *text, struct environment *environment, char *reason, size_t reason_size);
void environment_finish(struct environment *environment);

/* What a kernel of the set is called as a measurement. */
void kernel_measure_name(const struct bench_kernel *kernel, char *name, size_t size);

/*
 * Whether the comma-separated `list` names the measurement or its group ("commands", "transfers",
 * "set"); NULL names everything.
 */
bool list_names(const char *list, const char *name, const char *group);

#endif
