/* SPDX-License-Identifier: MIT */
/*
 * The one kernel whose work is counted: a compute-only loop on all compute units of a device.
 *
 * For one thread. After a failure every call does nothing; spin->cl.failure is the sentence.
 */
#ifndef BENCHMARKS_FAIRNESS_SPIN_H
#define BENCHMARKS_FAIRNESS_SPIN_H

#include "benchmarks/session.h"

struct spin {
	struct device_choice choice;
	struct session cl;
	cl_kernel kernel;
	size_t global, local;
	uint32_t loops;
	/* `global` counters of loops done, one a work item, modulo 2^32, seen while a kernel runs; NULL where the device's memory is not the host's. */
	const uint32_t *counter;
};

/* The first device of the platform whose name holds `platform` (NULL: any). `endless`: the kernel that never ends instead.
 * Always to be followed by spin_close. */
void spin_open(struct spin *spin, const char *platform, bool endless);
void spin_close(struct spin *spin);

/* Of the launches from here on. */
void spin_set_loops(struct spin *spin, uint32_t loops);
/* ret_event may be NULL. */
void spin_enqueue(struct spin *spin, cl_command_queue queue, cl_event *ret_event);
/* `count` launches in a row, from the first enqueue until all are done. 0 after a failure. */
uint64_t spin_time_ns(struct spin *spin, unsigned count);

#endif
