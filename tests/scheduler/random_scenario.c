/* SPDX-License-Identifier: MIT */
#include "tests/scheduler/random_scenario.h"

#include <stdio.h>
#include <string.h>

#define US 1000ull
#define MS 1000000ull

static uint64_t between(struct draw *draw, uint64_t least, uint64_t most)
{
	return least + draw_below(draw, most - least + 1);
}

static bool one_in(struct draw *draw, uint64_t n)
{
	return !draw_below(draw, n);
}

static struct spread_ns lengths(struct draw *draw)
{
	static const uint64_t most_us[] = {60, 300, 2000, 10000, 50000};
	uint64_t to_us = most_us[draw_below(draw, 5)];

	if (one_in(draw, 2))
		return (struct spread_ns){SPREAD_FIXED, to_us * US, 0};
	return (struct spread_ns){SPREAD_UNIFORM, 50 * US, to_us * US};
}

static uint32_t weight(struct draw *draw)
{
	static const uint32_t usual[] = {1024, 1024, 2048, 4096, 512};

	return one_in(draw, 5) ? (uint32_t)between(draw, 100, 20000) : usual[draw_below(draw, 5)];
}

static void any_settings(struct draw *draw, struct entity_settings *settings, uint64_t *promised_ppm, uint32_t leases)
{
	char why[ADMISSION_WHY_BYTES];
	struct entity_settings with = *settings;

	if (one_in(draw, 4)) {
		with.cap_ppm = (uint32_t)between(draw, 20, 700) * 1000;
		with.burst_ns = between(draw, 1, 20) * MS;
	}
	if (one_in(draw, 5))
		with.reservation_ppm = (uint32_t)between(draw, 10, with.cap_ppm / 1000) / 3 * 1000;
	if (one_in(draw, 5)) {
		with.class = ENTITY_REALTIME;
		with.period_ns = between(draw, 5, 40) * MS;
		with.budget_ns = with.period_ns / 1000 * between(draw, 20, 200);
	} else if (one_in(draw, 6)) {
		with.class = ENTITY_IDLE;
		with.reservation_ppm = 0;
	}
	if (one_in(draw, 6))
		with.slice_ns = between(draw, 500, 8000) * US;
	if (admission_check_range(&with, why) || admission_check_sum(&with, *promised_ppm, leases, why))
		return;
	*promised_ppm += admission_promised_ppm(&with);
	*settings = with;
}

static struct load load_of(struct draw *draw, enum random_kind kind)
{
	struct load load = {.arrival = ARRIVAL_BACKLOGGED, .burst = 1, .kernel = lengths(draw), .is_whole = one_in(draw, 4)};

	if (kind == RANDOM_STATIC || one_in(draw, 2))
		return load;
	load.begin_ns = between(draw, 0, 50) * MS;
	load.burst = (uint32_t)between(draw, 1, 6);
	load.gap = one_in(draw, 2) ? (struct spread_ns){SPREAD_FIXED, between(draw, 1, 100) * US, 0} :
				     (struct spread_ns){SPREAD_UNIFORM, 100 * US, between(draw, 1, 60) * MS};
	load.arrival = one_in(draw, 3) ? ARRIVAL_PERIODIC : one_in(draw, 2) ? ARRIVAL_RANDOM : ARRIVAL_THINK;
	if (load.arrival == ARRIVAL_PERIODIC) {
		load.gap = (struct spread_ns){SPREAD_FIXED, between(draw, 5, 40) * MS, 0};
		load.jitter_ns = between(draw, 0, 400) * US;
	} else if (load.arrival == ARRIVAL_RANDOM && load.gap.kind == SPREAD_FIXED) {
		load.gap.a_ns += 5 * MS;
	}
	return load;
}

static void any_queue(struct draw *draw, struct scenario *scenario)
{
	struct run_queue_settings *queue = &scenario->queue;

	queue->policy = one_in(draw, 2) ? POLICY_BEST_EFFORT : (uint32_t)draw_below(draw, 4);
	queue->leases = one_in(draw, 3) ? (uint32_t)between(draw, 2, 4) : 1;
	queue->slots = (uint32_t)between(draw, scenario->member_count, RANDOM_MEMBERS_MAX);
	queue->averaging = (uint32_t)between(draw, 1, 60);
	if (one_in(draw, 4))
		queue->slice_ns = between(draw, 500, 6000) * US;
}

void random_scenario_init(struct random_scenario *random, enum random_kind kind, uint64_t seed)
{
	struct scenario *scenario = &random->scenario;
	struct draw draw = draw_from(seed, 77 + kind);
	uint64_t promised_ppm = 0;

	memset(random, 0, sizeof(*random));
	scenario->members = random->members;
	scenario->edits = random->edits;
	scenario->seed = seed;
	scenario->seeds = 1;
	scenario->duration_ns = between(&draw, 100, 600) * MS;
	scenario->queue = run_queue_defaults();
	scenario->preemption = (enum preemption)draw_below(&draw, 3);
	scenario->switch_ns = between(&draw, 0, 30) * US;
	scenario->queue.switch_cost_ns = scenario->switch_ns;
	scenario->chunk_cost_ns = between(&draw, 0, 10) * US;
	scenario->freeze_ns = between(&draw, 1, 100) * US;
	scenario->member_count = between(&draw, 1, RANDOM_MEMBERS_MAX);
	snprintf(scenario->title, sizeof(scenario->title), "random scenario %llu of kind %d", (unsigned long long)seed, (int)kind);
	if (kind == RANDOM_ANY)
		any_queue(&draw, scenario);
	for (size_t i = 0; i < scenario->member_count; i++) {
		struct member *member = &random->members[i];
		snprintf(member->name, sizeof(member->name), "v%zu", i);
		member->settings = entity_defaults();
		member->settings.weight = weight(&draw);
		member->load = load_of(&draw, kind);
		if (kind == RANDOM_ANY)
			any_settings(&draw, &member->settings, &promised_ppm, scenario->queue.leases);
	}
	if (kind != RANDOM_ANY || !one_in(&draw, 3))
		return;
	for (uint64_t at_ns = between(&draw, 10, 200) * MS; scenario->edit_count < 4; at_ns += between(&draw, 1, 80) * MS) {
		struct edit *edit = &random->edits[scenario->edit_count++];
		edit->at_ns = at_ns;
		edit->member = (uint32_t)draw_below(&draw, scenario->member_count);
		edit->settings = random->members[edit->member].settings;
		edit->settings.weight = weight(&draw);
	}
}

static void remove_member(struct random_scenario *random, uint32_t index)
{
	struct scenario *scenario = &random->scenario;
	size_t kept = 0;

	memmove(&random->members[index], &random->members[index + 1], (scenario->member_count - index - 1) * sizeof(random->members[0]));
	scenario->member_count--;
	for (size_t i = 0; i < scenario->edit_count; i++) {
		struct edit edit = random->edits[i];
		if (edit.member == index)
			continue;
		edit.member -= edit.member > index;
		random->edits[kept++] = edit;
	}
	scenario->edit_count = kept;
}

/* One simplification; false if there is no such. */
static bool simplify(struct random_scenario *random, unsigned step)
{
	struct scenario *scenario = &random->scenario;
	unsigned per_member = 4, member = step / per_member;

	if (member < scenario->member_count) {
		struct member *it = &random->members[member];
		switch (step % per_member) {
		case 0:
			if (scenario->member_count > 1)
				remove_member(random, member);
			break;
		case 1:
			it->settings = entity_defaults();
			break;
		case 2:
			it->load.begin_ns = 0;
			it->load.jitter_ns = 0;
			it->load.kernel = (struct spread_ns){SPREAD_FIXED, it->load.kernel.a_ns, 0};
			break;
		case 3:
			it->load = (struct load){.arrival = ARRIVAL_BACKLOGGED, .burst = 1, .kernel = it->load.kernel, .is_whole = it->load.is_whole};
			break;
		}
		return true;
	}
	switch (step - member * per_member + (member - (unsigned)scenario->member_count) * per_member) {
	case 0:
		scenario->duration_ns = scenario->duration_ns / 2 / US * US;
		return true;
	case 1:
		scenario->duration_ns = scenario->duration_ns * 9 / 10 / US * US;
		return true;
	case 2:
		scenario->edit_count = 0;
		return true;
	case 3:
		scenario->switch_ns = scenario->queue.switch_cost_ns = 0;
		return true;
	case 4:
		scenario->preemption = PREEMPTION_NONE;
		return true;
	default:
		return false;
	}
}

void random_scenario_shrink(struct random_scenario *random, bool (*fails)(const struct scenario *scenario, void *data), void *data)
{
	for (bool again = true; again;) {
		again = false;
		for (unsigned step = 0;; step++) {
			struct random_scenario smaller = *random;
			smaller.scenario.members = smaller.members;
			smaller.scenario.edits = smaller.edits;
			if (!simplify(&smaller, step))
				break;
			bool is_same = !memcmp(&smaller.members, &random->members, sizeof(random->members)) &&
				       smaller.scenario.member_count == random->scenario.member_count &&
				       smaller.scenario.duration_ns == random->scenario.duration_ns &&
				       smaller.scenario.edit_count == random->scenario.edit_count &&
				       smaller.scenario.switch_ns == random->scenario.switch_ns &&
				       smaller.scenario.preemption == random->scenario.preemption;
			if (is_same || smaller.scenario.duration_ns < MS || !fails(&smaller.scenario, data))
				continue;
			*random = smaller;
			random->scenario.members = random->members;
			random->scenario.edits = random->edits;
			again = true;
		}
	}
}
