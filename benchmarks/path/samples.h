/* SPDX-License-Identifier: MIT */
/* A growing list of measured values. */
#ifndef BENCHMARKS_PATH_SAMPLES_H
#define BENCHMARKS_PATH_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

/* {0} is empty. */
struct samples {
	double *value;
	size_t count, capacity;
	bool short_of_memory;	/* sticks; a value was lost */
};

void samples_add(struct samples *samples, double value);
/* Releases the memory; the list is empty then. */
void samples_finish(struct samples *samples);

#endif
