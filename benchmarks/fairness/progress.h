/* SPDX-License-Identifier: MIT */
/* What a client got done and when: units of work done, in bins of 10 ms over a window. */
#ifndef BENCHMARKS_FAIRNESS_PROGRESS_H
#define BENCHMARKS_FAIRNESS_PROGRESS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PROGRESS_BIN_NS 10000000ull
#define PROGRESS_BINS_MAX 360000u	/* an hour */

struct progress {
	uint64_t begin_ns, end_ns;	/* CLOCK_MONOTONIC; whole bins */
	uint32_t bins;
	uint32_t per_kernel;		/* units that one kernel is: 1 where whole ones are counted */
	uint32_t *bin;
};

/* -EINVAL: a window that is empty or too long; -ENOMEM. */
int progress_init(struct progress *progress, uint64_t begin_ns, uint64_t end_ns);
void progress_finish(struct progress *progress);

/* Outside the window it is not counted. */
void progress_add(struct progress *progress, uint64_t now_ns, uint32_t units);
uint64_t progress_total(const struct progress *progress);

void progress_write(const struct progress *progress, FILE *out);
/* What progress_write wrote, behind any other lines. -EINVAL for anything else, -ENOMEM. On success progress_finish. */
int progress_read(FILE *in, struct progress *ret_progress);

#endif
