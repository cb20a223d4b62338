/* SPDX-License-Identifier: MIT */
/* What time brings back (caps, budgets, reservations), how long a slice is, and what a charge takes. run_queue.h has the theory. */
#include "scheduler/run_queue_parts.h"

#define RESERVED_WINDOW_NS 100000000	/* a reservation is kept over windows of this length */

/* Of one among equals. */
static uint64_t even_slice_ns(const struct run_queue *queue, uint64_t wanting)
{
	const struct run_queue_settings *settings = &queue->settings;
	uint64_t slice_ns = settings->target_latency_ns / wanting;

	if (slice_ns < settings->slice_min_ns)
		slice_ns = settings->slice_min_ns;
	if (settings->switch_ppm) {
		uint64_t worth_ns = settings->switch_cost_ns * ENTITY_WHOLE_PPM / settings->switch_ppm;
		if (slice_ns < worth_ns)
			slice_ns = worth_ns;
	}
	return slice_ns < settings->slice_max_ns ? slice_ns : settings->slice_max_ns;
}

/* Shares are cut by weight as well: so all have a turn as often as each other, and the light ones' shares are as even as the heavy ones'. */
uint64_t account_slice_ns(const struct run_queue *queue, const struct entity *entity)
{
	const struct run_queue_settings *settings = &queue->settings;
	uint64_t wanting = queue->present_count ? queue->present_count : 1;

	if (entity->settings.slice_ns)
		return entity->settings.slice_ns;
	if (settings->slice_ns)
		return settings->slice_ns;
	uint64_t slice_ns = even_slice_ns(queue, wanting), members = queue->present_count + queue->asleep_count;
	if (queue->set_weight <= 0 || (uint64_t)queue->set_weight == members * entity->weight || account_is_holding(queue))
		return slice_ns;
	slice_ns = (uint64_t)((unsigned __int128)slice_ns * members * entity->weight / (uint64_t)queue->set_weight);
	if (slice_ns < settings->slice_min_ns)
		return settings->slice_min_ns;
	return slice_ns < settings->slice_max_ns ? slice_ns : settings->slice_max_ns;
}

/* In a holding policy a vGPU may save up two of its turns: one to run, one that it may be kept waiting past its time. */
uint64_t account_burst_ns(const struct run_queue *queue, const struct entity *entity)
{
	uint64_t slots_ns = 2 * account_slice_ns(queue, entity);

	if (!account_is_holding(queue))
		return entity->settings.burst_ns;
	return slots_ns < entity->settings.burst_ns || entity->settings.cap_ppm == ENTITY_WHOLE_PPM ? slots_ns : entity->settings.burst_ns;
}

/* A parked vGPU comes back when a turn is worth a switch. */
uint64_t account_start_tokens_ns(const struct run_queue *queue, const struct entity *entity)
{
	uint64_t slice_ns = account_slice_ns(queue, entity), half_ns = account_burst_ns(queue, entity) / 2;

	return slice_ns < half_ns ? slice_ns : half_ns;
}

static uint32_t share_ppm(const struct run_queue *queue)
{
	uint64_t among = queue->settings.policy == POLICY_FIXED_SHARE ? queue->settings.slots : queue->count;
	uint64_t ppm = among ? (uint64_t)queue->settings.leases * ENTITY_WHOLE_PPM / among : ENTITY_WHOLE_PPM;

	return (uint32_t)(ppm < 1 ? 1 : ppm < ENTITY_WHOLE_PPM ? ppm : ENTITY_WHOLE_PPM);
}

void account_reset(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	uint32_t cap_ppm = entity->settings.cap_ppm;
	bool was_timed = entity->is_timed, was_capped = entity->cap_ppm < ENTITY_WHOLE_PPM;

	if (account_is_holding(queue) && share_ppm(queue) < cap_ppm)
		cap_ppm = share_ppm(queue);
	entity->cap_ppm = cap_ppm;
	if (cap_ppm == ENTITY_WHOLE_PPM)
		entity->parked = false;
	if (cap_ppm < ENTITY_WHOLE_PPM && !was_capped) {
		entity->tokens_ns = (int64_t)account_burst_ns(queue, entity);
		entity->tokens_in = (struct inflow){.at_ns = now_ns};
	}
	entity->is_timed = cap_ppm < ENTITY_WHOLE_PPM || entity->settings.class == ENTITY_REALTIME || entity->settings.reservation_ppm;
	queue->timed_count += entity->is_timed;
	queue->timed_count -= was_timed;
}

static int64_t flow(struct inflow *inflow, uint32_t ppm, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns > inflow->at_ns ? now_ns - inflow->at_ns : 0;
	/* Ten minutes fill every bucket there is, and keep the product within 64 bits. */
	if (elapsed_ns > 600000000000u)
		elapsed_ns = 600000000000u;
	uint64_t parts = elapsed_ns * ppm + inflow->rest;
	inflow->at_ns = now_ns;
	inflow->rest = parts % ENTITY_WHOLE_PPM;
	return (int64_t)(parts / ENTITY_WHOLE_PPM);
}

static void refresh_cap(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	int64_t burst_ns = (int64_t)account_burst_ns(queue, entity);

	entity->tokens_ns += flow(&entity->tokens_in, entity->cap_ppm, now_ns);
	if (entity->tokens_ns > burst_ns)
		entity->tokens_ns = burst_ns;
	bool was_parked = entity->parked;
	if (entity->holds)
		entity->parked = false;
	else if (entity->tokens_ns <= 0)
		entity->parked = true;
	else if (entity->tokens_ns >= (int64_t)account_start_tokens_ns(queue, entity))
		entity->parked = false;
	if (entity->parked != was_parked)
		timeline_update(queue, entity, now_ns);
}

/* What it took beyond its budget, because a piece of work could not be stopped, comes out of the periods that follow. */
static void begin_period(struct entity *entity, uint64_t period_end_ns, uint64_t periods)
{
	const struct entity_settings *settings = &entity->settings;

	entity->period_end_ns = period_end_ns;
	if (periods > 1000000)
		periods = 1000000;
	entity->budget_left_ns += (int64_t)(settings->budget_ns * periods);
	if (entity->budget_left_ns > (int64_t)settings->budget_ns)
		entity->budget_left_ns = (int64_t)settings->budget_ns;
}

static void refresh_budget(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	if (now_ns < entity->period_end_ns || !(entity->wants || entity->holds))
		return;
	/* It wanted all the time: the next period begins where the last ended. */
	uint64_t periods = 1 + (now_ns - entity->period_end_ns) / entity->settings.period_ns;
	begin_period(entity, entity->period_end_ns + periods * entity->settings.period_ns, periods);
	timeline_update(queue, entity, now_ns);
}

static void refresh_reservation(struct entity *entity, uint64_t now_ns)
{
	int64_t window_ns = (int64_t)entity->settings.reservation_ppm * RESERVED_WINDOW_NS / ENTITY_WHOLE_PPM;
	int64_t due_ns = flow(&entity->reserved_in, entity->settings.reservation_ppm, now_ns);

	/* It runs while the vGPU wants; who sleeps is not behind. */
	if (entity->wants || entity->holds)
		entity->reserved_ns += due_ns;
	else if (entity->reserved_ns > 0)
		entity->reserved_ns = 0;
	if (entity->reserved_ns < -window_ns)
		entity->reserved_ns = -window_ns;
}

void account_refresh(struct run_queue *queue, uint64_t now_ns)
{
	if (!queue->timed_count)
		return;
	for (size_t i = 0; i < queue->count; i++) {
		struct entity *entity = queue->entities[i];
		if (!entity->is_timed)
			continue;
		if (entity->cap_ppm < ENTITY_WHOLE_PPM)
			refresh_cap(queue, entity, now_ns);
		if (entity->settings.class == ENTITY_REALTIME)
			refresh_budget(queue, entity, now_ns);
		if (entity->settings.reservation_ppm)
			refresh_reservation(entity, now_ns);
	}
}

/* Learns when a realtime vGPU comes: a clock of its own, drawn after its arrivals. Frames jitter, so the mean distance is kept too. */
static void learn_arrival(struct forecast *forecast, uint64_t period_ns, uint64_t now_ns)
{
	uint64_t gap_ns = now_ns - forecast->last_ns;
	bool is_regular = forecast->last_ns && gap_ns > period_ns / 2 && gap_ns < 3 * period_ns;

	forecast->last_ns = now_ns;
	if (!is_regular) {
		if (gap_ns >= 3 * period_ns)
			forecast->expected_ns = 0;
		return;
	}
	if (!forecast->expected_ns || !forecast->interval_ns) {
		*forecast = (struct forecast){.expected_ns = now_ns + gap_ns, .interval_ns = gap_ns, .last_ns = now_ns,
					      .deviation_ns = gap_ns / 64};
		return;
	}
	int64_t late_ns = (int64_t)(now_ns - forecast->expected_ns);
	uint64_t distance_ns = (uint64_t)(late_ns < 0 ? -late_ns : late_ns);
	if (distance_ns > forecast->interval_ns / 4) {	/* the clock has jumped */
		forecast->expected_ns = now_ns + forecast->interval_ns;
		forecast->deviation_ns += (distance_ns - forecast->deviation_ns) / 16;
		return;
	}
	forecast->deviation_ns += (uint64_t)(((int64_t)distance_ns - (int64_t)forecast->deviation_ns) / 16);
	forecast->interval_ns += (uint64_t)(late_ns / 64);
	forecast->expected_ns += forecast->interval_ns + (uint64_t)(late_ns / 8);
}

void account_arrival(struct entity *entity, uint64_t now_ns)
{
	if (entity->settings.class != ENTITY_REALTIME)
		return;
	learn_arrival(&entity->forecast, entity->settings.period_ns, now_ns);
	if (now_ns < entity->period_end_ns)
		return;
	begin_period(entity, now_ns + entity->settings.period_ns, 1 + (now_ns - entity->period_end_ns) / entity->settings.period_ns);
}
