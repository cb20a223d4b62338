/* SPDX-License-Identifier: MIT */
/* What vgpu-bench prints of its results: table, CSV, JSON. */
#ifndef BENCHMARKS_REPORT_H
#define BENCHMARKS_REPORT_H

#include "benchmarks/options.h"
#include "benchmarks/runner.h"

struct report {
	const struct device_choice *device;
	const struct options *options;
	const struct bench_result *results;
	unsigned result_count;
};

/* All: 0, or -EIO where the text could not be written, -ENOMEM. */
int report_table(FILE *out, const struct report *report);
int report_csv(FILE *out, const struct report *report);
int report_json(FILE *out, const struct report *report);

#endif
