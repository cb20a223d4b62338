// SPDX-License-Identifier: MIT
/*
 * From medians per launch to rows. A figure is the median over launches of the medians within each, so
 * that neither one slow launch nor one slow repetition moves it; `spread` says how far the launches of
 * the native side lie apart, `control` what comparing native with itself gives.
 */
#include "benchmarks/path/rows.h"

#include "benchmarks/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AIM_DIFFERENCE_US "<= 5"
#define AIM_SET_RATIO ">= 0.97"

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

static int add(struct rows *rows, const char *measure, const char *figure, const char *unit, double value,
	const char *aim)
{
	struct row *row;

	if (rows->count == ROWS_MAX)
		return -ENOSPC;
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
	double ratio = higher_is_better ? other / native : native / other;

	return isfinite(ratio) ? ratio : NAN;
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

static int add_measure(struct rows *rows, const struct side_results *sides, const struct series *native)
{
	const char *name = native->name;
	double figure[SIDES];
	bool higher = native->higher_is_better;
	int err;

	for (unsigned i = 0; i < SIDES; i++)
		figure[i] = figure_of(&sides[i], name, false);
	err = add(rows, name, "native", native->unit, figure[SIDE_NATIVE], NULL);
	if (!err)
		err = add(rows, name, "vgpu", native->unit, figure[SIDE_VGPU], NULL);
	if (!err)
		err = add(rows, name, "ratio", "ratio",
			performance(figure[SIDE_NATIVE], figure[SIDE_VGPU], higher), NULL);
	if (!err)
		err = add(rows, name, "control", "ratio",
			performance(figure[SIDE_NATIVE], figure[SIDE_CONTROL], higher), NULL);
	if (!err)
		err = add(rows, name, "spread", "%", spread(native), NULL);
	return err;
}

static int add_enqueue_p99(struct rows *rows, const struct side_results *sides)
{
	double native = figure_of(&sides[SIDE_NATIVE], "enqueue_finish", true);
	double vgpu = figure_of(&sides[SIDE_VGPU], "enqueue_finish", true);
	double control = figure_of(&sides[SIDE_CONTROL], "enqueue_finish", true);
	const char *measure = "enqueue_finish_p99";
	int err = add(rows, measure, "native", "us", native, NULL);

	if (!err)
		err = add(rows, measure, "vgpu", "us", vgpu, NULL);
	if (!err)
		err = add(rows, measure, "ratio", "ratio", performance(native, vgpu, false), NULL);
	if (!err)
		err = add(rows, measure, "control", "ratio", performance(native, control, false), NULL);
	return err;
}

/* `name` on the two sides that use PoCL's basic driver, shown as `measure`. */
static int add_basic(struct rows *rows, const struct side_results *sides, const char *name,
	const char *measure, const char *unit, bool p99)
{
	double native = figure_of(&sides[SIDE_NATIVE_BASIC], name, p99);
	double vgpu = figure_of(&sides[SIDE_VGPU_BASIC], name, p99);
	int err = add(rows, measure, "native", unit, native, NULL);

	if (!err)
		err = add(rows, measure, "vgpu", unit, vgpu, NULL);
	if (!err)
		err = add(rows, measure, "ratio", "ratio", performance(native, vgpu, false), NULL);
	return err;
}

static int add_difference(struct rows *rows, const char *measure, const struct side_results *native,
	const struct side_results *vgpu)
{
	return add(rows, measure, "difference", "us",
		figure_of(vgpu, "enqueue_finish", false) - figure_of(native, "enqueue_finish", false),
		AIM_DIFFERENCE_US);
}

/* Geometric mean over the set, NAN unless every kernel was measured on both sides. */
static double set_ratio(const struct side_results *native, const struct side_results *other)
{
	double ratio[SERIES_MAX];

	for (unsigned i = 0; i < bench_kernel_count; i++) {
		char name[LINE_NAME_MAX];

		snprintf(name, sizeof(name), "kernel_%s", bench_kernels[i]->name);
		ratio[i] = performance(figure_of(native, name, false), figure_of(other, name, false), false);
	}
	return stats_geomean(ratio, bench_kernel_count);
}

int rows_build(const struct side_results sides[SIDES], struct rows *ret_rows)
{
	struct rows *rows = ret_rows;
	int err = 0;

	rows->count = 0;
	for (unsigned i = 0; i < sides[SIDE_NATIVE].series_count && !err; i++)
		err = add_measure(rows, sides, &sides[SIDE_NATIVE].series[i]);
	if (!err)
		err = add_enqueue_p99(rows, sides);
	if (!err)
		err = add_difference(rows, "enqueue_finish", &sides[SIDE_NATIVE], &sides[SIDE_VGPU]);
	if (!err)
		err = add_basic(rows, sides, "enqueue_finish", "enqueue_finish_basic", "us", false);
	if (!err)
		err = add_basic(rows, sides, "enqueue_finish", "enqueue_finish_basic_p99", "us", true);
	if (!err)
		err = add_basic(rows, sides, "enqueue_async", "enqueue_async_basic", "ns", false);
	if (!err)
		err = add_difference(rows, "enqueue_finish_basic", &sides[SIDE_NATIVE_BASIC],
			&sides[SIDE_VGPU_BASIC]);
	if (!err)
		err = add(rows, "set_geomean", "ratio", "ratio",
			set_ratio(&sides[SIDE_NATIVE], &sides[SIDE_VGPU]), AIM_SET_RATIO);
	if (!err)
		err = add(rows, "set_geomean", "control", "ratio",
			set_ratio(&sides[SIDE_NATIVE], &sides[SIDE_CONTROL]), NULL);
	return err;
}
