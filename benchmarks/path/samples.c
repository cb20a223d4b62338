// SPDX-License-Identifier: MIT
/* Doubles its memory as it grows. */
#include "benchmarks/path/samples.h"

#include <stdlib.h>

void samples_add(struct samples *samples, double value)
{
	if (samples->count == samples->capacity) {
		size_t capacity = samples->capacity ? samples->capacity * 2 : 64;
		double *grown = reallocarray(samples->value, capacity, sizeof(*grown));

		if (!grown) {
			samples->short_of_memory = true;
			return;
		}
		samples->value = grown;
		samples->capacity = capacity;
	}
	samples->value[samples->count++] = value;
}

void samples_finish(struct samples *samples)
{
	free(samples->value);
	*samples = (struct samples){ 0 };
}
