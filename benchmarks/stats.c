// SPDX-License-Identifier: MIT
/* Order statistics over a sorted copy of the samples. */
#include "benchmarks/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* The caller frees it; NULL for no samples or no memory. */
static double *sorted_copy(const double *samples, size_t count)
{
	double *sorted = count ? calloc(count, sizeof(*sorted)) : NULL;

	if (!sorted)
		return NULL;
	memcpy(sorted, samples, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_doubles);
	return sorted;
}

static double median_of_sorted(const double *sorted, size_t count)
{
	if (count % 2)
		return sorted[count / 2];
	return (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static double percentile_of_sorted(const double *sorted, size_t count, double percent)
{
	size_t rank = (size_t)ceil(percent / 100 * (double)count);

	if (rank < 1)
		rank = 1;
	if (rank > count)
		rank = count;
	return sorted[rank - 1];
}

double stats_median(const double *samples, size_t count)
{
	double *sorted = sorted_copy(samples, count);
	double median = sorted ? median_of_sorted(sorted, count) : NAN;

	free(sorted);
	return median;
}

double stats_percentile(const double *samples, size_t count, double percent)
{
	double *sorted = sorted_copy(samples, count);
	double value = sorted ? percentile_of_sorted(sorted, count, percent) : NAN;

	free(sorted);
	return value;
}

double stats_geomean(const double *samples, size_t count)
{
	double log_sum = 0;

	if (count == 0)
		return NAN;
	for (size_t i = 0; i < count; i++) {
		if (!(samples[i] > 0))
			return NAN;
		log_sum += log(samples[i]);
	}
	return exp(log_sum / (double)count);
}

int stats_summarize(const double *samples, size_t count, struct summary *ret_summary)
{
	double *sorted;

	if (count == 0)
		return -EINVAL;
	sorted = sorted_copy(samples, count);
	if (!sorted)
		return -ENOMEM;
	*ret_summary = (struct summary){
		.count = count,
		.min = sorted[0],
		.median = median_of_sorted(sorted, count),
		.p99 = percentile_of_sorted(sorted, count, 99),
	};
	free(sorted);
	return 0;
}
