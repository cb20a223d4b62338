/* SPDX-License-Identifier: MIT */
/* Prints and stores the rows of a comparison. */
#ifndef BENCHMARKS_PATH_PATH_REPORT_H
#define BENCHMARKS_PATH_PATH_REPORT_H

#include "benchmarks/path/rows.h"

/* -EIO: it could not be written. */
int path_report_table(FILE *out, const struct side_results sides[SIDES], const struct rows *rows);
/* JSON into options->out_path; makes the folders above it. 0 or -errno. */
int path_report_write(const struct compare_options *options, const struct side_results sides[SIDES],
	const struct rows *rows);

#endif
