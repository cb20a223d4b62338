/* SPDX-License-Identifier: MIT */
/*
 * Runs a scenario under a rule on a simulated clock, and measures what the vGPUs got.
 *
 * Pure but for memory. The GPU is `leases` servers; a vGPU's kernels run one after another, in a lease. Time is lost to switches
 * (a lease goes to another vGPU than the last), to chunks (each after a kernel's first), and to nothing else. A lease is charged from its
 * grant to its release, whatever was done in it.
 */
#ifndef VGPU_SCHEDULER_SIM_SIM_H
#define VGPU_SCHEDULER_SIM_SIM_H

#include "scheduler/sim/rule.h"

#define SIM_WINDOW_NS 1000000000ull

struct sim_waits {		/* from a kernel's arrival (a backlogged vGPU's: the end of its last) to its first start */
	uint64_t count;
	uint64_t p50_ns, p99_ns, max_ns;
};

struct sim_member {
	uint64_t served_ns;	/* kernels, without switches and chunk costs */
	double ideal_ns;	/* what the fluid ideal served of the same work */
	double window_gap_ns;	/* the largest difference of the two over one window */
	uint64_t kernels;
	uint64_t frames, missed;
	struct sim_waits waits;
	uint32_t *window_us;	/* service in each window; window_count of them */
};

struct sim_result {
	uint64_t duration_ns;
	uint64_t served_ns;
	uint64_t switches;
	uint64_t lost_ns;	/* to switches and chunks */
	uint64_t chunks;
	uint64_t decisions_hash;	/* of who was granted and released, and when */
	size_t window_count;
	size_t member_count;
	struct sim_member members[];
};

enum sim_event_kind { SIM_WANT, SIM_GRANT, SIM_START, SIM_DONE, SIM_RELEASE };

struct sim_event {
	enum sim_event_kind kind;
	uint32_t member;
	uint32_t lease;
	uint64_t at_ns;
	uint64_t value;		/* START: kernel id; DONE: its length; RELEASE: since the grant */
};

/* Watches a run; either function may be NULL. */
struct sim_watch {
	void (*event)(void *data, const struct sim_event *event);
	/* All that can be decided at now_ns has been. Returns false to end the run. */
	bool (*settled)(void *data, void *rule, uint64_t now_ns);
	void *data;
};

/* One run. 0, -ENOMEM, or -EINVAL with a sentence in ret_why. watch may be NULL. */
int sim_run(const struct scenario *scenario, const struct rule_ops *ops, uint64_t seed, const struct sim_watch *watch,
	    struct sim_result **ret_result, char ret_why[ADMISSION_WHY_BYTES]);
void sim_result_destroy(struct sim_result *result);

/* Jain's index (1984) of service over ideal, 1 = all alike; over those that were due anything. */
double sim_jain(const struct sim_result *result);

#endif
