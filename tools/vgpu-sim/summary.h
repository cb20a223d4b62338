/* SPDX-License-Identifier: MIT */
/* Several runs of one scenario, with seeds of their own, as one: means of shares and of percentiles, the largest of maxima. */
#ifndef VGPU_TOOLS_VGPU_SIM_SUMMARY_H
#define VGPU_TOOLS_VGPU_SIM_SUMMARY_H

#include "scheduler/sim/sim.h"

struct summary_member {
	double share;		/* of the time simulated, in leases */
	double of_ideal;	/* service over the fluid ideal's; 1 where that is nothing */
	double window_gap_ms;
	double wait_p50_ms, wait_p99_ms, wait_max_ms;
	uint64_t kernels, frames, missed;
};

struct summary {
	double jain;
	double served, lost;	/* of the time of all leases */
	double switches;	/* a second */
	double least_of_ideal;
	uint64_t hash;
	double seconds;		/* of one run */
	uint32_t runs;
	size_t member_count;
	size_t window_count;
	float *windows;		/* share in each window of the first run: member * window_count + window */
	struct summary_member members[];
};

/* Runs it. 0 or -errno with a sentence in ret_why. */
int summary_run(const struct scenario *scenario, const struct rule_ops *ops, struct summary **ret_summary, char ret_why[ADMISSION_WHY_BYTES]);
void summary_destroy(struct summary *summary);	/* accepts NULL */

#endif
