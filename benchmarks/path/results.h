/* SPDX-License-Identifier: MIT */
/* What the launches of one side measured, reduced to a median and a p99 per launch. */
#ifndef BENCHMARKS_PATH_RESULTS_H
#define BENCHMARKS_PATH_RESULTS_H

#include "benchmarks/path/line.h"
#include "benchmarks/path/path_options.h"

#define SERIES_MAX 64

struct series {
	char name[LINE_NAME_MAX];
	char unit[LINE_NAME_MAX];
	bool higher_is_better;
	unsigned count;				/* launches; 0: was left out */
	double median[LAUNCHES_MAX];
	double p99[LAUNCHES_MAX];
	double best;				/* single sample of all launches */
};

/* {0}: no launch yet. */
struct side_results {
	struct device_facts device;
	struct series series[SERIES_MAX];
	unsigned series_count;
};

/* -ENOSPC: more names or launches than there is room for; -ENOMEM. */
int results_add(struct side_results *results, const struct line *line);
/* NULL: not measured. */
const struct series *results_find(const struct side_results *results, const char *name);

#endif
