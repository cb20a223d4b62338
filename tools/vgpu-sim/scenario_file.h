/* SPDX-License-Identifier: MIT */
/* Scenarios as JSON files, vgpu-sim(1) documents them; and recorded work as CSV. */
#ifndef VGPU_TOOLS_VGPU_SIM_SCENARIO_FILE_H
#define VGPU_TOOLS_VGPU_SIM_SCENARIO_FILE_H

#include <stdio.h>

#include "scheduler/sim/scenario.h"

#define SCENARIO_WHY_BYTES 512

/* What a scenario takes that does not say otherwise. */
#define SCENARIO_CHUNK_COST_NS 5000u
#define SCENARIO_FREEZE_NS 75000u

/* Another number of one kind of vGPU than the file says. */
struct scenario_count {
	const char *name;	/* NULL = as in the file */
	uint32_t count;
};

/* Reads it whole. 0 or -errno, with one sentence in ret_why that names the field. */
int scenario_read(const char *path, const struct scenario_count *other, struct scenario **ret_scenario, char ret_why[SCENARIO_WHY_BYTES]);
/* The same from text; a trace it names is looked for in `folder`. */
int scenario_parse(const char *text, size_t bytes, const char *folder, const struct scenario_count *other,
		   struct scenario **ret_scenario, char ret_why[SCENARIO_WHY_BYTES]);
void scenario_destroy(struct scenario *scenario);	/* accepts NULL */
/* As a file that scenario_read takes. Times are rounded down to microseconds. */
void scenario_write(FILE *file, const struct scenario *scenario);

#endif
