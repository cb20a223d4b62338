/* SPDX-License-Identifier: MIT */
/* The figures of a comparison, each beside its aim if it has one. Pure arithmetic. */
#ifndef BENCHMARKS_PATH_ROWS_H
#define BENCHMARKS_PATH_ROWS_H

#include "benchmarks/path/results.h"

#define ROWS_MAX 512

enum side_id {
	SIDE_NATIVE,
	SIDE_VGPU,
	SIDE_CONTROL,		/* native once more: what two equal sides differ by */
	SIDE_NATIVE_BASIC,	/* native with PoCL's `basic` driver */
	SIDE_VGPU_BASIC,	/* vgpu with whatever --vgpu-basic-env chooses */
	SIDES,
};

struct row {
	char measure[LINE_NAME_MAX];	/* "write_1MiB"; the row's name is MEASURE.FIGURE */
	const char *figure;		/* native, vgpu, ratio, control, best, spread, difference */
	const char *unit;
	double value;			/* NAN: not measured */
	const char *aim;		/* NULL: none */
};

struct rows {
	struct row row[ROWS_MAX];
	unsigned count;
};

/*
 * Ratios are performance relative to native: 1 is equal, less is slower, whatever the unit. Units and
 * aims point to literals or into `sides`, which must outlive the rows. -ENOSPC.
 */
int rows_build(const struct side_results sides[SIDES], struct rows *ret_rows);

/* ">= 0.97" or "<= 5". -EINVAL for another aim; -ENODATA for a value of NAN or no aim: not to be told. */
int aim_met(const char *aim, double value, bool *ret_met);

#endif
