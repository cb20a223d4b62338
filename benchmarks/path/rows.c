// SPDX-License-Identifier: MIT
/*
 * From medians per launch to rows. `native` and `vgpu` are medians over launches of the medians within
 * each, so that neither one slow launch nor one slow repetition moves them. What compares two sides is
 * the median over rounds of the comparison within each round, because the launches of one round ran
 * next to each other under the same load. `spread` says how far the launches of the native side lie
 * apart, `control` what comparing native with itself gives: differences below it mean nothing. `best`
 * compares the best single samples, which on a machine whose clock or neighbours come and go says more
 * than any median.
 */
#include "benchmarks/path/rows.h"

#include "benchmarks/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A chain may take 1.1 times as long. A map is independent of size if it takes as long for 256 MiB as for 4 KiB, but for what two equal ones differ by. */
static const struct {
	const char *measure, *figure, *aim;
} aims[] = {
	{ "enqueue_async", "vgpu", "<= 200" },
	{ "enqueue_finish", "difference", "<= 0" },
	{ "enqueue_finish_basic", "difference", "<= 1" },
	{ "empty_1M_basic", "ratio", ">= 0.95" },
	{ "empty_1M_basic_over_default", "ratio", ">= 1" },
	{ "chain_2_queues", "ratio", ">= 0.909" },
	{ "kernel_0.5ms_synchronous", "ratio", ">= 0.95" },
	{ "kernel_0.5ms_queued", "ratio", ">= 0.98" },
	{ "write_1MiB", "ratio", ">= 0.95" },
	{ "write_16MiB", "ratio", ">= 0.95" },
	{ "write_64MiB", "ratio", ">= 0.95" },
	{ "write_256MiB", "ratio", ">= 0.95" },
	{ "read_1MiB", "ratio", ">= 0.95" },
	{ "read_16MiB", "ratio", ">= 0.95" },
	{ "read_64MiB", "ratio", ">= 0.95" },
	{ "read_256MiB", "ratio", ">= 0.95" },
	{ "map_unmap_256MiB_over_4KiB", "vgpu", "<= 1.5" },
	{ "set_geomean", "ratio", ">= 0.98" },
};

int aim_met(const char *aim, double value, bool *ret_met)
{
	double bound;
	char *end;

	if (!aim || isnan(value))
		return -ENODATA;
	if (strncmp(aim, ">= ", 3) && strncmp(aim, "<= ", 3))
		return -EINVAL;
	bound = strtod(aim + 3, &end);
	if (end == aim + 3 || *end)
		return -EINVAL;
	*ret_met = aim[0] == '>' ? value >= bound : value <= bound;
	return 0;
}

static int add(struct rows *rows, const char *measure, const char *figure, const char *unit, double value)
{
	const char *aim = NULL;
	struct row *row;

	if (rows->count == ROWS_MAX)
		return -ENOSPC;
	for (size_t i = 0; i < sizeof(aims) / sizeof(aims[0]) && !aim; i++)
		if (!strcmp(aims[i].measure, measure) && !strcmp(aims[i].figure, figure))
			aim = aims[i].aim;
	row = &rows->row[rows->count++];
	*row = (struct row){ .figure = figure, .unit = unit, .value = value, .aim = aim };
	snprintf(row->measure, sizeof(row->measure), "%s", measure);
	return 0;
}

/* NAN where the side has no such series. */
static double figure_of(const struct side_results *side, const char *name, bool p99)
{
	const struct series *series = results_find(side, name);

	if (!series || series->count == 0)
		return NAN;
	return stats_median(p99 ? series->p99 : series->median, series->count);
}

static double performance(double native, double other, bool higher_is_better)
{
	return higher_is_better ? other / native : native / other;
}

static double difference(double native, double other, bool higher_is_better)
{
	(void)higher_is_better;
	return other - native;
}

/* Median over rounds of compare(native, other); NAN where a side lacks the series. */
static double paired(const struct side_results *native, const struct side_results *other, const char *name,
	bool p99, double (*compare)(double, double, bool))
{
	const struct series *a = results_find(native, name), *b = results_find(other, name);
	unsigned count = a && b ? (a->count < b->count ? a->count : b->count) : 0;
	double compared[LAUNCHES_MAX];
	double median;

	for (unsigned i = 0; i < count; i++)
		compared[i] = p99 ? compare(a->p99[i], b->p99[i], a->higher_is_better) :
			compare(a->median[i], b->median[i], a->higher_is_better);
	median = stats_median(compared, count);
	return isfinite(median) ? median : NAN;
}

/* Performance of the best sample against native's best; NAN where a side lacks the series. */
static double best_ratio(const struct side_results *native, const struct side_results *other,
	const char *name)
{
	const struct series *a = results_find(native, name), *b = results_find(other, name);

	if (!a || !b || a->count == 0 || b->count == 0)
		return NAN;
	return performance(a->best, b->best, a->higher_is_better);
}

/* Largest minus smallest launch median, in percent of their median. */
static double spread(const struct series *series)
{
	double least = INFINITY, most = -INFINITY;

	for (unsigned i = 0; i < series->count; i++) {
		least = fmin(least, series->median[i]);
		most = fmax(most, series->median[i]);
	}
	return series->count ? 100 * (most - least) / stats_median(series->median, series->count) : NAN;
}

static int add_measure(struct rows *rows, const struct side_results *sides, const struct series *series)
{
	const struct side_results *native = &sides[SIDE_NATIVE];
	const struct side_results *vgpu = &sides[SIDE_VGPU], *control = &sides[SIDE_CONTROL];
	const char *name = series->name;
	int err = add(rows, name, "native", series->unit, figure_of(native, name, false));

	if (!err)
		err = add(rows, name, "vgpu", series->unit, figure_of(vgpu, name, false));
	if (!err)
		err = add(rows, name, "ratio", "ratio", paired(native, vgpu, name, false, performance));
	if (!err)
		err = add(rows, name, "control", "ratio", paired(native, control, name, false, performance));
	if (!err)
		err = add(rows, name, "best", "ratio", best_ratio(native, vgpu, name));
	if (!err)
		err = add(rows, name, "spread", "%", spread(series));
	return err;
}

/* `name` on two sides, shown as `measure`, where that is not what the series is called. */
static int add_pair(struct rows *rows, const struct side_results *native, const struct side_results *vgpu,
	const char *name, bool p99, const char *measure, const char *unit)
{
	int err = add(rows, measure, "native", unit, figure_of(native, name, p99));

	if (!err)
		err = add(rows, measure, "vgpu", unit, figure_of(vgpu, name, p99));
	if (!err)
		err = add(rows, measure, "ratio", "ratio", paired(native, vgpu, name, p99, performance));
	return err;
}

static int add_difference(struct rows *rows, const struct side_results *native,
	const struct side_results *vgpu, const char *measure)
{
	return add(rows, measure, "difference", "us",
		paired(native, vgpu, "enqueue_finish", false, difference));
}

/*
 * Geometric mean over the set of the ratios, or of the best ones; NAN unless every kernel was measured
 * on both sides.
 */
static double set_ratio(const struct side_results *native, const struct side_results *other, bool best)
{
	double ratio[SERIES_MAX];

	for (unsigned i = 0; i < bench_kernel_count; i++) {
		char name[LINE_NAME_MAX];

		kernel_measure_name(bench_kernels[i], name, sizeof(name));
		ratio[i] = best ? best_ratio(native, other, name) :
			paired(native, other, name, false, performance);
	}
	return stats_geomean(ratio, bench_kernel_count);
}

int rows_build(const struct side_results sides[SIDES], struct rows *ret_rows)
{
	const struct side_results *native = &sides[SIDE_NATIVE], *vgpu = &sides[SIDE_VGPU];
	const struct side_results *control = &sides[SIDE_CONTROL];
	const struct side_results *native_basic = &sides[SIDE_NATIVE_BASIC];
	const struct side_results *vgpu_basic = &sides[SIDE_VGPU_BASIC];
	const char *finish = "enqueue_finish", *async = "enqueue_async", *many = "empty_1M";
	struct rows *rows = ret_rows;
	int err = 0;

	rows->count = 0;
	for (unsigned i = 0; i < native->series_count && !err; i++)
		err = add_measure(rows, sides, &native->series[i]);
	if (!err)
		err = add_difference(rows, native, vgpu, "enqueue_finish");
	if (!err)
		err = add_pair(rows, native, vgpu, finish, true, "enqueue_finish_p99", "us");
	if (!err)
		err = add_pair(rows, native_basic, vgpu_basic, finish, false, "enqueue_finish_basic", "us");
	if (!err)
		err = add_difference(rows, native_basic, vgpu_basic, "enqueue_finish_basic");
	if (!err)
		err = add_pair(rows, native_basic, vgpu_basic, finish, true, "enqueue_finish_basic_p99", "us");
	if (!err)
		err = add_pair(rows, native_basic, vgpu_basic, async, false, "enqueue_async_basic", "ns");
	if (!err)
		err = add_pair(rows, native_basic, vgpu_basic, many, false, "empty_1M_basic", "kernels/s");
	if (!err)
		err = add(rows, "empty_1M_basic_over_default", "ratio", "ratio", figure_of(vgpu_basic, many, false) / figure_of(native, "empty_100k", false));
	if (!err)
		err = add(rows, "map_unmap_256MiB_over_4KiB", "vgpu", "ratio",
			figure_of(vgpu, "map_unmap_256MiB", false) / figure_of(vgpu, "map_unmap_4KiB", false));
	if (!err)
		err = add(rows, "set_geomean", "ratio", "ratio", set_ratio(native, vgpu, false));
	if (!err)
		err = add(rows, "set_geomean", "control", "ratio", set_ratio(native, control, false));
	if (!err)
		err = add(rows, "set_geomean", "best", "ratio", set_ratio(native, vgpu, true));
	if (!err)
		err = add(rows, "set_geomean_control", "best", "ratio", set_ratio(native, control, true));
	return err;
}
