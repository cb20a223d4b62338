/* SPDX-License-Identifier: MIT */
/* Order statistics of measured samples: median, nearest-rank p99, geometric mean. */
#ifndef BENCHMARKS_STATS_H
#define BENCHMARKS_STATS_H

#include <stddef.h>

/* What a report shows of one series; the unit is that of the samples. */
struct summary {
	size_t count;
	double min;
	double median;
	double p99;
};

/*
 * Middle sample, or the mean of the two middle ones; NAN for no samples, and where memory for the
 * sorted copy is short. The samples stay as they are.
 */
double stats_median(const double *samples, size_t count);

/*
 * Nearest rank: the smallest sample that at least `percent` (above 0, at most 100) of the samples do
 * not exceed. With fewer than 100 samples p99 therefore is the largest one. NAN as above.
 */
double stats_percentile(const double *samples, size_t count, double percent);

/* NAN for no samples, and where one is not positive: it has no geometric mean. */
double stats_geomean(const double *samples, size_t count);

/* 0; -EINVAL for no samples, -ENOMEM. */
int stats_summarize(const double *samples, size_t count, struct summary *ret_summary);

#endif
