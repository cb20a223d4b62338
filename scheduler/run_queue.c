/* SPDX-License-Identifier: MIT */
/* Members, settings, what happened, and records of a run queue. run_queue.h has the theory. */
#include "scheduler/run_queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "scheduler/run_queue_parts.h"

struct run_queue_settings run_queue_defaults(void)
{
	return (struct run_queue_settings){
		.policy = POLICY_BEST_EFFORT,
		.leases = 1,
		.slots = 8,
		.averaging = 33,
		.target_latency_ns = 16000000,
		.slice_min_ns = 1000000,
		.slice_max_ns = 4000000,
		.switch_cost_ns = 15000,
		.switch_ppm = 4000,
		.chunk_ns = 500000,
	};
}

static int refuse(char ret_why[ADMISSION_WHY_BYTES], const char *what, uint64_t is, uint64_t least, uint64_t most)
{
	snprintf(ret_why, ADMISSION_WHY_BYTES, "%s is %llu; it must be from %llu to %llu", what, (unsigned long long)is,
		 (unsigned long long)least, (unsigned long long)most);
	return -EINVAL;
}

static int check(const struct run_queue_settings *settings, size_t count, char ret_why[ADMISSION_WHY_BYTES])
{
	const struct {
		const char *what;
		uint64_t is, least, most;
	} bounds[] = {
		{"the policy", settings->policy, POLICY_BEST_EFFORT, POLICY_ADAPTIVE},
		{"the number of leases", settings->leases, 1, RUN_QUEUE_LEASES_MAX},
		{"the averaging factor", settings->averaging, 1, RUN_QUEUE_AVERAGING_MAX},
		{"the slice in ns", settings->slice_ns ? settings->slice_ns : ENTITY_SLICE_NS_MIN, ENTITY_SLICE_NS_MIN, ENTITY_SLICE_NS_MAX},
		{"the target latency in ns", settings->target_latency_ns, ENTITY_SLICE_NS_MIN, RUN_QUEUE_TARGET_LATENCY_NS_MAX},
		{"the shortest slice in ns", settings->slice_min_ns, ENTITY_SLICE_NS_MIN, settings->slice_max_ns},
		{"the longest slice in ns", settings->slice_max_ns, ENTITY_SLICE_NS_MIN, ENTITY_SLICE_NS_MAX},
		{"the cost of a switch in ns", settings->switch_cost_ns, 0, 10000000},
		{"the share of switches in ppm", settings->switch_ppm, 0, ENTITY_WHOLE_PPM},
		{"the length of a chunk in ns", settings->chunk_ns ? settings->chunk_ns : ENTITY_SLICE_NS_MIN, 50000, ENTITY_SLICE_NS_MAX},
	};

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		if (bounds[i].is < bounds[i].least || bounds[i].is > bounds[i].most)
			return refuse(ret_why, bounds[i].what, bounds[i].is, bounds[i].least, bounds[i].most);
	if (settings->policy == POLICY_FIXED_SHARE && (settings->slots < count || !settings->slots || settings->slots > RUN_QUEUE_SLOTS_MAX))
		return refuse(ret_why, "the number of slots", settings->slots, count ? count : 1, RUN_QUEUE_SLOTS_MAX);
	return 0;
}

int run_queue_create(const struct run_queue_settings *settings, struct run_queue **ret_queue, char ret_why[ADMISSION_WHY_BYTES])
{
	int error = check(settings, 0, ret_why);
	struct run_queue *queue = error ? NULL : calloc(1, sizeof(*queue));

	if (error)
		return error;
	if (!queue)
		return -ENOMEM;
	queue->settings = *settings;
	*ret_queue = queue;
	return 0;
}

void run_queue_destroy(struct run_queue *queue)
{
	if (!queue)
		return;
	for (size_t i = 0; i < queue->count; i++)
		free(queue->entities[i]);
	free(queue->entities);
	free(queue);
}

/* After a change of members or settings. */
static void renew(struct run_queue *queue, uint64_t now_ns)
{
	for (size_t i = 0; i < queue->count; i++)
		account_reset(queue, queue->entities[i], now_ns);
	for (size_t i = 0; i < queue->count; i++)
		timeline_update(queue, queue->entities[i], now_ns);
	timeline_reweigh(queue, now_ns);
}

int run_queue_configure(struct run_queue *queue, const struct run_queue_settings *settings, uint64_t now_ns,
			char ret_why[ADMISSION_WHY_BYTES])
{
	int error = check(settings, queue->count, ret_why);

	if (error)
		return error;
	if (queue->promised_ppm > (uint64_t)settings->leases * ADMISSION_LIMIT_PPM) {
		snprintf(ret_why, ADMISSION_WHY_BYTES, "%u leases do not hold the %g %% that are promised: keep %llu, or lower reservations and budgets",
			 settings->leases, (double)queue->promised_ppm / 10000.0,
			 (unsigned long long)((queue->promised_ppm + ADMISSION_LIMIT_PPM - 1) / ADMISSION_LIMIT_PPM));
		return -ENOSPC;
	}
	account_refresh(queue, now_ns);
	queue->settings = *settings;
	renew(queue, now_ns);
	return 0;
}

const struct run_queue_settings *run_queue_settings(const struct run_queue *queue)
{
	return &queue->settings;
}

/* ---- members -------------------------------------------------------------------------------------- */

static int grow(struct run_queue *queue)
{
	size_t capacity = queue->capacity ? queue->capacity * 2 : 16;

	if (queue->count < queue->capacity)
		return 0;
	void *grown = reallocarray(queue->entities, capacity, sizeof(*queue->entities));
	if (!grown)
		return -ENOMEM;
	queue->entities = grown;
	queue->capacity = capacity;
	return 0;
}

static int admit(const struct run_queue *queue, const struct entity_settings *settings, uint64_t others_ppm,
		 char ret_why[ADMISSION_WHY_BYTES])
{
	int error = admission_check_range(settings, ret_why);

	return error ? error : admission_check_sum(settings, others_ppm, queue->settings.leases, ret_why);
}

int run_queue_add(struct run_queue *queue, const struct entity_settings *settings, void *owner, uint64_t now_ns,
		  struct entity **ret_entity, char ret_why[ADMISSION_WHY_BYTES])
{
	int error = admit(queue, settings, queue->promised_ppm, ret_why);

	if (error)
		return error;
	if (queue->settings.policy == POLICY_FIXED_SHARE && queue->count >= queue->settings.slots) {
		snprintf(ret_why, ADMISSION_WHY_BYTES, "all %u slots are taken; remove a vGPU or set more slots", queue->settings.slots);
		return -ENOSPC;
	}
	struct entity *entity = grow(queue) ? NULL : calloc(1, sizeof(*entity));
	if (!entity) {
		snprintf(ret_why, ADMISSION_WHY_BYTES, "no memory for one more vGPU in the scheduler");
		return -ENOMEM;
	}
	entity->settings = *settings;
	entity->weight = settings->weight;
	entity->owner = owner;
	entity->cap_ppm = ENTITY_WHOLE_PPM;
	entity->away_since_ns = now_ns;
	entity->tokens_in.at_ns = now_ns;
	entity->reserved_in.at_ns = now_ns;
	account_refresh(queue, now_ns);
	queue->promised_ppm += admission_promised_ppm(settings);
	queue->entities[queue->count++] = entity;
	renew(queue, now_ns);
	*ret_entity = entity;
	return 0;
}

int run_queue_restore(struct run_queue *queue, const struct entity_record *record, void *owner, uint64_t now_ns,
		      struct entity **ret_entity, char ret_why[ADMISSION_WHY_BYTES])
{
	struct entity *entity;
	int error = run_queue_add(queue, &record->settings, owner, now_ns, &entity, ret_why);

	if (error)
		return error;
	/* The pause between save and now passes as any other: caps and budgets fill, what was owed fades; a debt stays. */
	uint64_t then_ns = record->saved_at_ns < now_ns ? record->saved_at_ns : now_ns;
	entity->lag_ns = record->lag_ns;
	entity->away_since_ns = entity->lag_ns < 0 ? now_ns : then_ns;
	entity->deferred_ns = record->deferred_ns > 0 ? record->deferred_ns : 0;
	entity->budget_left_ns = record->budget_left_ns;
	entity->period_end_ns = record->period_end_ns;
	if (entity->period_end_ns > now_ns + entity->settings.period_ns)
		entity->period_end_ns = now_ns;
	entity->reserved_ns = record->reserved_ns;
	entity->idle_used_ns = record->idle_used_ns;
	entity->prediction.peak_ns = record->peak_ns;
	entity->used_ns = record->used_ns;
	if (entity->cap_ppm < ENTITY_WHOLE_PPM) {
		entity->tokens_ns = record->tokens_ns;
		entity->tokens_in.at_ns = then_ns;
	}
	account_refresh(queue, now_ns);
	*ret_entity = entity;
	return 0;
}

void run_queue_remove(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	if (!entity)
		return;
	if (entity->holds)
		run_queue_release(queue, entity, false, 0, now_ns);
	timeline_take_out(queue, entity, now_ns);
	for (size_t i = 0; i < queue->count; i++) {
		if (queue->entities[i] != entity)
			continue;
		for (size_t k = i + 1; k < queue->count; k++)
			queue->entities[k - 1] = queue->entities[k];
		queue->count--;
		break;
	}
	queue->timed_count -= entity->is_timed;
	queue->promised_ppm -= admission_promised_ppm(&entity->settings);
	free(entity);
	renew(queue, now_ns);
}

int run_queue_edit(struct run_queue *queue, struct entity *entity, const struct entity_settings *settings, uint64_t now_ns,
		   char ret_why[ADMISSION_WHY_BYTES])
{
	uint64_t own_ppm = admission_promised_ppm(&entity->settings);
	int error = admit(queue, settings, queue->promised_ppm - own_ppm, ret_why);

	if (error)
		return error;
	account_refresh(queue, now_ns);
	queue->promised_ppm += admission_promised_ppm(settings) - own_ppm;
	if (settings->class != entity->settings.class || settings->period_ns != entity->settings.period_ns)
		entity->period_end_ns = 0;
	if (entity->budget_left_ns > (int64_t)settings->budget_ns)
		entity->budget_left_ns = (int64_t)settings->budget_ns;
	if (!settings->reservation_ppm)
		entity->reserved_ns = 0;
	if (!entity->settings.reservation_ppm)
		entity->reserved_in = (struct inflow){.at_ns = now_ns};
	entity->settings = *settings;
	renew(queue, now_ns);
	return 0;
}

void *run_queue_owner(const struct entity *entity)
{
	return entity->owner;
}

const struct entity_settings *run_queue_entity_settings(const struct entity *entity)
{
	return &entity->settings;
}

/* ---- what happened -------------------------------------------------------------------------------- */

static void expect_cost(struct entity *entity, uint64_t kernel_id)
{
	entity->next_cost_ns = prediction_of(&entity->prediction, kernel_id);
}

void run_queue_wake(struct run_queue *queue, struct entity *entity, uint64_t kernel_id, uint64_t now_ns)
{
	if (entity->wants)
		return;
	account_refresh(queue, now_ns);	/* the time up to now was spent asleep */
	account_arrival(entity, now_ns);
	expect_cost(entity, kernel_id);
	entity->wants = true;
	if (entity->settings.class == ENTITY_IDLE && entity->idle_used_ns < queue->idle_floor_ns)
		entity->idle_used_ns = queue->idle_floor_ns;
	timeline_update(queue, entity, now_ns);
}

void run_queue_sleep(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	if (!entity->wants)
		return;
	account_refresh(queue, now_ns);
	entity->wants = false;
	timeline_update(queue, entity, now_ns);
}

/* The part of a lease that its length does not cover is charged over the leases that follow. */
static uint64_t adapt(const struct run_queue *queue, struct entity *entity, uint64_t used_ns)
{
	uint64_t slice_ns = account_slice_ns(queue, entity);
	uint64_t before_ns = entity->lease_used_ns > slice_ns ? entity->lease_used_ns - slice_ns : 0;
	uint64_t after_ns = entity->lease_used_ns + used_ns > slice_ns ? entity->lease_used_ns + used_ns - slice_ns : 0;

	if (!entity->deadline_ns)	/* open: nobody was kept waiting */
		return used_ns;
	entity->deferred_ns += (int64_t)(after_ns - before_ns);
	return used_ns - (after_ns - before_ns);
}

static void repay(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	int64_t least_ns = (int64_t)queue->settings.slice_min_ns / RUN_QUEUE_AVERAGING_MAX;
	int64_t part_ns = entity->deferred_ns / (int64_t)queue->settings.averaging;

	if (queue->settings.policy != POLICY_ADAPTIVE || part_ns < least_ns)
		part_ns = queue->settings.policy == POLICY_ADAPTIVE && entity->deferred_ns > least_ns ? least_ns : entity->deferred_ns;
	entity->deferred_ns -= part_ns;
	timeline_charge(queue, entity, (uint64_t)part_ns, now_ns);
}

/* Takes it from the realtime budget; returns what is left for virtual time. */
static uint64_t spend_budget(struct run_queue *queue, struct entity *entity, uint64_t used_ns, uint64_t now_ns)
{
	uint64_t covered_ns = entity->budget_left_ns > 0 ? (uint64_t)entity->budget_left_ns : 0;

	/* Who kept others waiting beyond its budget has taken it from its own next periods. */
	if (covered_ns > used_ns || (entity->tier == TIER_REALTIME && entity->holds && entity->deadline_ns))
		covered_ns = used_ns;
	entity->budget_left_ns -= (int64_t)covered_ns;
	if (entity->budget_left_ns > 0 || covered_ns == used_ns)
		return 0;
	if (entity->tier == TIER_REALTIME)
		entity->tier = TIER_FAIR;	/* nobody waits: it goes on as a normal one */
	timeline_update(queue, entity, now_ns);
	return used_ns - covered_ns;
}

void run_queue_charge(struct run_queue *queue, struct entity *entity, uint64_t used_ns, uint64_t now_ns)
{
	bool is_holding = account_is_holding(queue);
	uint64_t fair_ns = used_ns;

	account_refresh(queue, now_ns);
	entity->used_ns += used_ns;
	entity->charged_at_ns = now_ns;
	if (entity->cap_ppm < ENTITY_WHOLE_PPM)
		entity->tokens_ns -= (int64_t)used_ns;
	if (entity->settings.reservation_ppm)
		entity->reserved_ns -= (int64_t)used_ns;
	if (account_in_budget(queue, entity))
		fair_ns = spend_budget(queue, entity, used_ns, now_ns);
	if (entity->settings.class == ENTITY_IDLE && !is_holding) {
		entity->idle_used_ns += fair_ns * ENTITY_WEIGHT / entity->settings.weight;
		queue->idle_floor_ns = entity->idle_used_ns;
	} else if (fair_ns && !entity->is_off_top) {
		if (queue->settings.policy == POLICY_ADAPTIVE)
			fair_ns = adapt(queue, entity, fair_ns);
		timeline_charge(queue, entity, fair_ns, now_ns);
	}
	entity->lease_used_ns += used_ns;
}

void run_queue_charge_unleased(struct run_queue *queue, struct entity *entity, uint64_t used_ns, uint64_t now_ns)
{
	if (entity->holds || !used_ns) {
		run_queue_charge(queue, entity, used_ns, now_ns);
		return;
	}
	account_refresh(queue, now_ns);
	entity->used_ns += used_ns;
	if (entity->cap_ppm < ENTITY_WHOLE_PPM)
		entity->tokens_ns -= (int64_t)used_ns;
	if (entity->settings.class == ENTITY_IDLE && !account_is_holding(queue))
		entity->idle_used_ns += used_ns * ENTITY_WEIGHT / entity->settings.weight;
	else
		timeline_charge_absent(queue, entity, used_ns, now_ns);
}

void run_queue_release(struct run_queue *queue, struct entity *entity, bool wants_more, uint64_t kernel_id, uint64_t now_ns)
{
	if (!entity->holds)
		return;
	repay(queue, entity, now_ns);
	expect_cost(entity, kernel_id);
	entity->wants = wants_more;
	entity->holds = false;
	entity->deadline_ns = 0;
	queue->holding_count--;
	account_refresh(queue, now_ns);
	timeline_update(queue, entity, now_ns);
	timeline_request(queue, entity);
}

void run_queue_observe(struct run_queue *queue, struct entity *entity, uint64_t kernel_id, uint64_t took_ns)
{
	(void)queue;
	prediction_observe(&entity->prediction, kernel_id, took_ns);
}

/* ---- what is known -------------------------------------------------------------------------------- */

void run_queue_view(const struct run_queue *queue, const struct entity *entity, struct entity_view *ret_view)
{
	*ret_view = (struct entity_view){
		.lag_ns = timeline_lag_ns(queue, entity) - entity->deferred_ns,
		.used_ns = entity->used_ns,
		.slice_ns = account_slice_ns(queue, entity),
		.predicted_ns = entity->prediction.peak_ns,
		.wants = entity->wants,
		.holds = entity->holds,
		.parked = entity->parked,
	};
}

void run_queue_export(const struct run_queue *queue, const struct entity *entity, uint64_t now_ns, struct entity_record *ret_record)
{
	*ret_record = (struct entity_record){
		.saved_at_ns = now_ns,
		.settings = entity->settings,
		.lag_ns = timeline_lag_ns(queue, entity),
		.deferred_ns = entity->deferred_ns,
		.tokens_ns = entity->tokens_ns,
		.budget_left_ns = entity->budget_left_ns,
		.period_end_ns = entity->period_end_ns,
		.reserved_ns = entity->reserved_ns,
		.idle_used_ns = entity->idle_used_ns,
		.peak_ns = entity->prediction.peak_ns,
		.used_ns = entity->used_ns,
	};
}
