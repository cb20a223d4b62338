/* SPDX-License-Identifier: MIT */
/* Interleaves launches of the sides and reports how they compare. */
#ifndef BENCHMARKS_PATH_COMPARE_H
#define BENCHMARKS_PATH_COMPARE_H

#include "benchmarks/path/path_options.h"

/*
 * Writes options->out_path (and the folders above it) and a table on stdout. 0: it could measure,
 * whether or not aims are met; -errno otherwise, told on stderr.
 */
int compare_run(const struct compare_options *options);

#endif
