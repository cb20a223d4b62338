/* SPDX-License-Identifier: MIT */
/* What is measured of the way to the device: a const table. */
#ifndef BENCHMARKS_PATH_MEASURE_H
#define BENCHMARKS_PATH_MEASURE_H

#include "benchmarks/path/samples.h"
#include "benchmarks/session.h"

struct measurement {
	const char *name;
	const char *group;	/* "commands", "many", "work" or "transfers"; see list_names */
	const char *unit;
	bool higher_is_better;
	size_t bytes;		/* largest buffer; 0: needs none */
	/* Adds samples in `unit`; a failure is noted in the session. */
	void (*run)(struct session *cl, size_t bytes, struct samples *samples);
};

extern const struct measurement measurements[];
extern const unsigned measurement_count;

#endif
