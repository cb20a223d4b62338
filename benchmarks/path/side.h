/* SPDX-License-Identifier: MIT */
/* One side of a comparison: measures in this process and prints what it measured. */
#ifndef BENCHMARKS_PATH_SIDE_H
#define BENCHMARKS_PATH_SIDE_H

#include "benchmarks/path/path_options.h"

/*
 * Prints one JSON object per line on `out` (path/line.h reads them back): first the device, then each
 * measurement with all its samples, or why it was left out. 0; -EIO after a failed OpenCL call or a
 * wrong result, -EINVAL for an --only that names nothing, both told on stderr.
 */
int side_run(const struct side_options *options, FILE *out);

#endif
