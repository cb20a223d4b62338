/* SPDX-License-Identifier: MIT */
/* The kernels that one vGPU brings, as its load says, and how long they waited. */
#ifndef VGPU_SCHEDULER_SIM_WORK_H
#define VGPU_SCHEDULER_SIM_WORK_H

#include "scheduler/sim/sim.h"

struct job {
	uint64_t arrived_ns;
	uint64_t length_ns;
	uint64_t left_ns;
	uint64_t kernel_id;
	uint64_t due_ns;	/* frames: 0 = none */
	bool is_started;
};

struct work {
	const struct load *load;
	struct draw draw;
	struct job *jobs;	/* a ring */
	size_t first, count, capacity;
	uint64_t next_ns;	/* when more arrives; 0 = never, or when what there is is done */
	uint64_t nominal_ns;	/* of a periodic load, without jitter */
	size_t next_record;
	uint32_t *waits_us10;	/* in 0.1 us */
	size_t wait_count, wait_capacity;
	uint64_t kernels, frames, missed;
	int error;		/* sticks: no memory */
};

void work_init(struct work *work, const struct load *load, uint64_t seed, uint64_t stream);
void work_finish(struct work *work);
struct job *work_first(const struct work *work);	/* NULL = nothing to do */
/* Takes what arrives at next_ns, and finds the next. Returns how much work it is. */
uint64_t work_arrive(struct work *work);
/* The first job has waited for so long. */
void work_waited(struct work *work, uint64_t wait_ns);
/* The first job is done. */
void work_done(struct work *work, uint64_t now_ns);
void work_measure(struct work *work, uint64_t end_ns, struct sim_member *ret_member);

#endif
