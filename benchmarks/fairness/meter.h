/* SPDX-License-Identifier: MIT */
/*
 * How much of a kernel is done while it runs: the work items count their loops in memory that host and device share, and a thread reads it
 * now and then.
 *
 * Whole kernels, noted when their client has woken up, tell no share better than one kernel and one wake-up: with kernels of 50 ms, or where sixteen
 * share a second, that is more than the shares are off.
 */
#ifndef BENCHMARKS_FAIRNESS_METER_H
#define BENCHMARKS_FAIRNESS_METER_H

#include <pthread.h>

#include "benchmarks/fairness/progress.h"
#include "benchmarks/fairness/spin.h"

#define METER_PER_KERNEL 1000u	/* units of progress that one kernel is */

struct meter {
	struct spin *spin;
	struct progress *progress;
	pthread_t thread;
	bool running;
	uint32_t *seen;			/* the counters at the last look */
	uint64_t rest;			/* loops that make no whole unit */
};

/*
 * From here until meter_stop all of `spin`'s work in the window of `progress`, which must be empty, is added to it in units of a METER_PER_KERNEL-th kernel; the
 * spin's loops must stay as they are. False: the device's memory is not the host's (CL_DEVICE_HOST_UNIFIED_MEMORY), so nothing can be seen. A failure
 * is that of spin->cl.
 */
bool meter_start(struct meter *meter, struct spin *spin, struct progress *progress);
/* Once the window is over. */
void meter_stop(struct meter *meter);

#endif
