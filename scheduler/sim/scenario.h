/* SPDX-License-Identifier: MIT */
/* What is simulated: one run queue of a GPU with its costs, the vGPUs on it and the work that each of them brings. */
#ifndef VGPU_SCHEDULER_SIM_SCENARIO_H
#define VGPU_SCHEDULER_SIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/run_queue.h"
#include "scheduler/sim/draw.h"

enum arrival {
	ARRIVAL_BACKLOGGED = 0,	/* always one more kernel */
	ARRIVAL_PERIODIC = 1,	/* one every gap.a_ns, each up to jitter_ns late: frames. Missed if not done when the next is due */
	ARRIVAL_RANDOM = 2,	/* `burst` at once, then a gap; whether or not they are done */
	ARRIVAL_THINK = 3,	/* `burst` at once; the gap begins when all are done */
	ARRIVAL_TRACE = 4,	/* as recorded */
};

struct recorded {
	uint64_t at_ns;
	uint64_t kernel_id;
	uint64_t length_ns;
};

struct load {
	enum arrival arrival;
	struct spread_ns gap;
	uint64_t jitter_ns;
	uint32_t burst;
	struct spread_ns kernel;
	bool is_whole;		/* its kernels cannot be split */
	uint64_t begin_ns;	/* nothing before; gives displays their phases */
	const struct recorded *records;	/* ARRIVAL_TRACE: borrowed, by rising at_ns */
	size_t record_count;
};

struct member {
	char name[48];
	struct entity_settings settings;
	struct load load;
};

/* A change of settings while all runs. */
struct edit {
	uint64_t at_ns;
	uint32_t member;
	struct entity_settings settings;
};

enum preemption {
	PREEMPTION_NONE = 0,	/* a kernel runs to its end */
	PREEMPTION_CHUNKS = 1,	/* between the chunks of a kernel, each of which costs chunk_cost_ns */
	PREEMPTION_FREEZE = 2,	/* anywhere; takes freeze_ns, during which it runs on */
};

struct recorded_file;

struct scenario {
	char title[96];
	uint64_t duration_ns;
	uint64_t seed;
	uint32_t seeds;		/* runs, with seed, seed + 1, ... */
	struct run_queue_settings queue;
	enum preemption preemption;
	uint64_t switch_ns;	/* lost when a lease goes to another vGPU than the last */
	uint64_t chunk_cost_ns;
	uint64_t freeze_ns;
	struct member *members;
	size_t member_count;
	struct edit *edits;	/* by rising at_ns */
	size_t edit_count;
	struct recorded_file *recorded;	/* what traces borrow from; whoever read them owns it */
};

#endif
