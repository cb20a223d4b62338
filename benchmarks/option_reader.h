/* SPDX-License-Identifier: MIT */
/*
 * What the command lines of both programs share: walking a table of long options, and text that becomes numbers.
 *
 * Every function returns 0, or -EINVAL with one sentence in `reason` that names the argument, what is wrong with it and
 * what would work. Not for two threads at once (getopt_long).
 */
#ifndef BENCHMARKS_OPTION_READER_H
#define BENCHMARKS_OPTION_READER_H

#include <getopt.h>

#include "benchmarks/kernels/kernel.h"

#define OPTION_END (-1)

extern const char *const bench_size_names[BENCH_SIZES];

void option_begin(void);
/* The next one's id, its value in optarg; OPTION_END behind the last. */
int option_next(int argc, char **argv, const struct option *table, int *ret_option, char *reason, size_t reason_size);
/* Without its dashes, of one that option_next has answered. */
const char *option_name(const struct option *table, int option);

/* A decimal number in [min, max], and nothing behind it. `what` names it. */
int option_number(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *ret_value, char *reason,
	size_t reason_size);
int option_count(const char *text, const char *what, unsigned min, unsigned max, unsigned *ret_count, char *reason,
	size_t reason_size);
/* "small", "medium", "large". */
int option_size(const char *text, enum bench_size *ret_size, char *reason, size_t reason_size);

#endif
