/* SPDX-License-Identifier: MIT */
/* Answers "how many such users fit?": the largest number of one kind of vGPU with which a scenario still meets its targets. */
#ifndef VGPU_TOOLS_VGPU_SIM_FIT_H
#define VGPU_TOOLS_VGPU_SIM_FIT_H

#include <stdbool.h>

#include "tools/vgpu-sim/scenario_file.h"
#include "tools/vgpu-sim/summary.h"

struct fit_targets {
	const char *user;	/* a name in 'vgpus': its 'count' is searched for */
	double share;		/* each of them has at least so much of what the ideal gives it, 0 = any */
	double wait_p99_ms;	/* and waits no longer, 0 = any */
	double missed_percent;	/* and misses no more frames; negative = any */
	uint32_t most;		/* not more than so many */
};

struct fit_answer {
	uint32_t count;		/* 0 = not even one */
	bool is_most;		/* more were not tried */
	double share, wait_p99_ms, missed_percent;	/* with `count` */
	char limit[SCENARIO_WHY_BYTES];	/* what one more breaks */
};

/* Doubles, then halves: the answer is right if more users never make it better. 0 or -errno with a sentence in ret_why. */
int fit(const char *path, const struct rule_ops *ops, const struct fit_targets *targets, struct fit_answer *ret_answer,
	char ret_why[SCENARIO_WHY_BYTES]);

#endif
