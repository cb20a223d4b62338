/* SPDX-License-Identifier: MIT */
#include "scheduler/sim/mix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define US 1000ull
#define MS 1000000ull
#define FRAME_NS 16666667ull

static struct member make(uint32_t kind, uint32_t index, uint32_t count)
{
	static const char *const names[MIX_OF] = {"victim", "display", "aggressor", "mixed", "mixed", "steady", "sleeper", "burst"};
	struct member member = {.settings = entity_defaults(), .load = {.arrival = ARRIVAL_BACKLOGGED, .burst = 1}};
	struct load *load = &member.load;
	uint64_t share_ns = FRAME_NS / count;	/* of a frame's time */

	snprintf(member.name, sizeof(member.name), "%s-%u", names[kind], index);
	switch (kind) {
	case 0:
		load->kernel = (struct spread_ns){SPREAD_FIXED, 50 * US, 0};
		break;
	case 1:
		load->arrival = ARRIVAL_PERIODIC;
		load->gap = (struct spread_ns){SPREAD_FIXED, FRAME_NS, 0};
		load->jitter_ns = 200 * US;
		load->kernel = (struct spread_ns){SPREAD_UNIFORM, share_ns * 6 / 10, share_ns * 8 / 10};
		load->begin_ns = FRAME_NS * (index * 5 % MIX_OF) / MIX_OF + index * 97 * US;
		member.settings.class = ENTITY_REALTIME;
		member.settings.period_ns = 16 * MS;	/* below the frame's: a frame that comes early has its budget */
		member.settings.budget_ns = share_ns;
		break;
	case 2:
		load->arrival = ARRIVAL_THINK;
		load->gap = (struct spread_ns){SPREAD_FIXED, 20 * US, 0};
		load->kernel = (struct spread_ns){SPREAD_FIXED, 50 * MS, 0};
		break;
	case 3:
		load->arrival = ARRIVAL_THINK;
		load->gap = (struct spread_ns){SPREAD_FIXED, 20 * US, 0};
		load->kernel = (struct spread_ns){SPREAD_LOG_UNIFORM, 50 * US, 50 * MS};
		break;
	case 4:
		load->kernel = (struct spread_ns){SPREAD_LOG_UNIFORM, 50 * US, 50 * MS};
		break;
	case 5:
		load->kernel = (struct spread_ns){SPREAD_FIXED, 2 * MS, 0};
		break;
	case 6:
		load->arrival = ARRIVAL_RANDOM;
		load->burst = 4;
		load->kernel = (struct spread_ns){SPREAD_UNIFORM, 200 * US, 2 * MS};
		load->gap = (struct spread_ns){SPREAD_EXPONENTIAL, 4400 * US * count * 10 / 9, 0};
		break;
	case 7:
		load->arrival = ARRIVAL_RANDOM;
		load->burst = 30;
		load->kernel = (struct spread_ns){SPREAD_UNIFORM, 1 * MS, 5 * MS};
		load->gap = (struct spread_ns){SPREAD_EXPONENTIAL, 90 * MS * count * 10 / 9, 0};
		break;
	}
	return member;
}

int mix_create(uint32_t count, struct scenario **ret_scenario)
{
	struct scenario *scenario = calloc(1, sizeof(*scenario));

	if (scenario)
		scenario->members = calloc(count, sizeof(*scenario->members));
	if (!scenario || !scenario->members) {
		free(scenario);
		return -ENOMEM;
	}
	snprintf(scenario->title, sizeof(scenario->title), "the mix of comparison, %u vGPUs", count);
	scenario->duration_ns = 60000 * MS;
	scenario->seed = 1;
	scenario->seeds = 5;
	scenario->queue = run_queue_defaults();
	scenario->preemption = PREEMPTION_CHUNKS;
	scenario->switch_ns = 15 * US;
	scenario->chunk_cost_ns = 5 * US;
	scenario->freeze_ns = 75 * US;
	scenario->member_count = count;
	for (uint32_t i = 0; i < count; i++)
		scenario->members[i] = make(i % MIX_OF, i / MIX_OF, count);
	*ret_scenario = scenario;
	return 0;
}

void mix_destroy(struct scenario *scenario)
{
	if (!scenario)
		return;
	free(scenario->members);
	free(scenario);
}
