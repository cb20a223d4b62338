// SPDX-License-Identifier: MIT
/* Series by name, in the order in which they first came. */
#include "benchmarks/path/results.h"

#include "benchmarks/stats.h"

#include <errno.h>
#include <string.h>

static int find_or_add(struct side_results *results, const char *name, struct series **ret_series)
{
	struct series *series;

	for (unsigned i = 0; i < results->series_count; i++) {
		if (!strcmp(results->series[i].name, name)) {
			*ret_series = &results->series[i];
			return 0;
		}
	}
	if (results->series_count == SERIES_MAX)
		return -ENOSPC;
	series = &results->series[results->series_count++];
	snprintf(series->name, sizeof(series->name), "%s", name);
	*ret_series = series;
	return 0;
}

int results_add(struct side_results *results, const struct line *line)
{
	struct summary summary;
	struct series *series;
	double best;
	int err;

	if (line->kind == LINE_DEVICE) {
		results->device = line->device;
		return 0;
	}
	err = find_or_add(results, line->name, &series);
	if (err || line->kind == LINE_SKIPPED)
		return err;
	if (series->count == LAUNCHES_MAX)
		return -ENOSPC;
	err = stats_summarize(line->samples.value, line->samples.count, &summary);
	if (err)
		return err;
	memcpy(series->unit, line->unit, sizeof(series->unit));
	series->higher_is_better = line->higher_is_better;
	best = line->higher_is_better ? stats_percentile(line->samples.value, line->samples.count, 100) :
		summary.min;
	if (series->count == 0 || (line->higher_is_better ? best > series->best : best < series->best))
		series->best = best;
	series->median[series->count] = summary.median;
	series->p99[series->count] = summary.p99;
	series->count++;
	return 0;
}

const struct series *results_find(const struct side_results *results, const char *name)
{
	for (unsigned i = 0; i < results->series_count; i++)
		if (!strcmp(results->series[i].name, name))
			return &results->series[i];
	return NULL;
}
