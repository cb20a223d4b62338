/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scheduler/sim/scenario.h"
#include "tools/vgpu-admin/trace_formats.h"
#include "tools/vgpu-sim/scenario_file.h"

#define HOUR_NS 3600000000000ull	/* a scenario is no longer */
#define SHORTEST_NS 1000000ull
#define NAME_MOST 31u			/* of a vGPU in a scenario */

/* The work of one vGPU while it is gathered. */
struct gathered {
	struct recorded *records;
	size_t count, capacity;
	bool has_kernels;
	uint64_t waits_from_ns;	/* since its last work; 0 = it did not wait */
	uint64_t end_ns;	/* of its last work */
};

static int append(struct gathered *gathered, struct recorded record)
{
	if (gathered->count == gathered->capacity) {
		size_t capacity = gathered->capacity ? gathered->capacity * 2 : 256;
		void *grown = reallocarray(gathered->records, capacity, sizeof(*gathered->records));
		if (!grown)
			return -ENOMEM;
		gathered->records = grown;
		gathered->capacity = capacity;
	}
	gathered->records[gathered->count++] = record;
	return 0;
}

/* It came when it began to be waited for; what is from before the beginning comes at once. most_ns: it was no longer. */
static int take_work(struct gathered *gathered, const struct trace_span *span, uint64_t most_ns, uint64_t begin_ns)
{
	uint64_t came_ns = gathered->waits_from_ns && gathered->waits_from_ns < span->from_ns ? gathered->waits_from_ns : span->from_ns;
	uint64_t from_ns = span->from_ns < begin_ns ? begin_ns : span->from_ns;

	gathered->waits_from_ns = 0;
	/* One thing after the other: what a second engine did meanwhile takes no time of its own. */
	if (from_ns < gathered->end_ns)
		from_ns = gathered->end_ns;
	if (span->to_ns <= from_ns)
		return 0;
	gathered->end_ns = span->to_ns;
	struct recorded record = {.at_ns = came_ns > begin_ns ? came_ns - begin_ns : 0, .kernel_id = span->kernel_id,
				  .length_ns = span->to_ns - from_ns < most_ns ? span->to_ns - from_ns : most_ns};
	if (gathered->count && record.at_ns < gathered->records[gathered->count - 1].at_ns)
		record.at_ns = gathered->records[gathered->count - 1].at_ns;
	return append(gathered, record);
}

static int gather(struct gathered *gathered, const struct trace_span *spans, size_t count, uint64_t begin_ns)
{
	int error = 0;

	for (size_t i = 0; i < count; i++)
		gathered[spans[i].member].has_kernels |= spans[i].kind == SPAN_KERNEL;
	for (size_t i = 0; i < count && !error; i++) {
		const struct trace_span *span = &spans[i];
		struct gathered *to = &gathered[span->member];
		if (span->kind == SPAN_WAIT && !to->waits_from_ns)
			to->waits_from_ns = span->from_ns;
		else if (span->kind == SPAN_KERNEL || (span->kind == SPAN_LEASE && !to->has_kernels && !span->is_open))
			error = take_work(to, span, UINT64_MAX, begin_ns);
		else if (span->kind == SPAN_ENGINE && !to->has_kernels && span->is_open)
			error = take_work(to, span, span->busy_ns ? span->busy_ns : UINT64_MAX, begin_ns);
	}
	return error;
}

static bool is_taken(const struct scenario *scenario, const char *name)
{
	for (size_t i = 0; i < scenario->member_count; i++)
		if (!strcmp(scenario->members[i].name, name))
			return true;
	return false;
}

/* Its name, or another one if that is too long for a scenario or was given twice, one vGPU after the other. */
static void name_member(const struct scenario *scenario, const struct trace_member *vgpu, struct member *member)
{
	if (strlen(vgpu->name) <= NAME_MOST && vgpu->name[0] && !is_taken(scenario, vgpu->name))
		snprintf(member->name, sizeof(member->name), "%.31s", vgpu->name);
	else
		snprintf(member->name, sizeof(member->name), "%.8s.%u", vgpu->uuid, vgpu->number);
}

static void settle(struct scenario *scenario, const struct trace_events *events, uint64_t begin_ns)
{
	time_t seconds = (time_t)(events->realtime_ns / 1000000000u);
	char when[32] = "?", lost[48] = "";
	struct tm parts;

	if (gmtime_r(&seconds, &parts))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
	if (events->lost)
		snprintf(lost, sizeof(lost), ", %llu events lost", (unsigned long long)events->lost);
	snprintf(scenario->title, sizeof(scenario->title), "%.24s until %.20s%.40s", events->gpu, when, lost);
	scenario->duration_ns = (events->end_ns - begin_ns + 999) / 1000 * 1000;
	if (scenario->duration_ns < SHORTEST_NS)
		scenario->duration_ns = SHORTEST_NS;
	scenario->seed = 1;
	scenario->queue = events->queue;
	scenario->preemption = events->freezes ? PREEMPTION_FREEZE : PREEMPTION_CHUNKS;
	scenario->switch_ns = events->queue.switch_cost_ns;
	scenario->chunk_cost_ns = SCENARIO_CHUNK_COST_NS;
	scenario->freeze_ns = SCENARIO_FREEZE_NS;
}

int trace_write_recorded(FILE *file, const struct trace_events *events)
{
	struct gathered *gathered = calloc(events->member_count + 1, sizeof(*gathered));
	struct scenario scenario = {.members = calloc(events->member_count + 1, sizeof(*scenario.members))};
	uint64_t begin_ns = events->begin_ns;
	struct trace_span *spans = NULL;
	size_t count = 0;
	int error = gathered && scenario.members ? trace_events_spans(events, &spans, &count) : -ENOMEM;

	if (events->end_ns > HOUR_NS && begin_ns < events->end_ns - HOUR_NS)
		begin_ns = events->end_ns - HOUR_NS;
	if (!error)
		error = gather(gathered, spans, count, begin_ns);
	settle(&scenario, events, begin_ns);
	for (size_t i = 0; i < events->member_count && !error; i++) {
		struct member *member = &scenario.members[scenario.member_count];
		if (!gathered[i].count)
			continue;
		name_member(&scenario, &events->members[i], member);
		member->settings = events->members[i].settings;
		if (events->members[i].gone) {
			member->settings.reservation_ppm = 0;
			member->settings.class = member->settings.class == ENTITY_IDLE ? ENTITY_IDLE : ENTITY_NORMAL;
			member->settings.budget_ns = 0;
			member->settings.period_ns = 0;
		}
		member->load = (struct load){.arrival = ARRIVAL_TRACE, .burst = 1, .records = gathered[i].records,
					     .record_count = gathered[i].count};
		scenario.member_count++;
	}
	if (!error && !scenario.member_count)
		error = -ENODATA;
	if (scenario.queue.policy == POLICY_FIXED_SHARE && scenario.queue.slots < scenario.member_count)
		scenario.queue.slots = (uint32_t)scenario.member_count;	/* some of them are gone */
	if (!error)
		scenario_write(file, &scenario);
	for (size_t i = 0; gathered && i < events->member_count; i++)
		free(gathered[i].records);
	free(gathered);
	free(scenario.members);
	free(spans);
	return error;
}
