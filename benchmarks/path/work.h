/* SPDX-License-Identifier: MIT */
/* Measurements for the table of measure.h; `bytes` means nothing to them. */
#ifndef BENCHMARKS_PATH_WORK_H
#define BENCHMARKS_PATH_WORK_H

#include "benchmarks/path/samples.h"
#include "benchmarks/session.h"

/* A kernel of about half a millisecond and clFinish, in us. */
void measure_synchronous(struct session *cl, size_t bytes, struct samples *samples);
/* The same kernel, many queued before clFinish; us for one. */
void measure_queued(struct session *cl, size_t bytes, struct samples *samples);
/* Commands that wait for each other's events across two queues; us for one. */
void measure_chains(struct session *cl, size_t bytes, struct samples *samples);

#endif
