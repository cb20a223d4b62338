/* SPDX-License-Identifier: MIT */
/* The questions of run_queue.h: who, until when, may it start. Flat scans over the entities. */
#include "scheduler/run_queue_parts.h"

static bool is_waiting(const struct entity *entity)
{
	return entity->wants && !entity->holds && !entity->parked;
}

/* The best tier in which a waiting entity could be granted a lease now; now_ve: timeline_now, asked once per scan. */
static enum tier tier_of(const struct run_queue *queue, const struct entity *entity, int64_t now_ve)
{
	if (account_in_budget(queue, entity))
		return TIER_REALTIME;
	if (account_is_holding(queue))
		return entity->in_set && entity->ve <= now_ve ? TIER_FAIR : TIER_AHEAD;
	if (entity->settings.class == ENTITY_IDLE)
		return TIER_IDLE;
	if (entity->settings.reservation_ppm && entity->reserved_ns > 0)
		return TIER_RESERVED;
	return entity->in_set && entity->ve <= now_ve ? TIER_FAIR : TIER_AHEAD;
}

/* Which of two in one tier is first; of equals, who was added first. */
static bool is_before(enum tier tier, const struct entity *a, const struct entity *b)
{
	switch (tier) {
	case TIER_REALTIME:
		return a->period_end_ns < b->period_end_ns;
	case TIER_RESERVED:	/* behind for longer */
		return (__int128)a->reserved_ns * b->settings.reservation_ppm > (__int128)b->reserved_ns * a->settings.reservation_ppm;
	case TIER_FAIR:
		return a->vd < b->vd;
	case TIER_AHEAD:
		return a->ve < b->ve;
	case TIER_IDLE:
		return a->idle_used_ns < b->idle_used_ns;
	}
	return false;
}

static bool others_wait(const struct run_queue *queue, const struct entity *holder)
{
	/* So many will have one of their own. */
	size_t free_count = queue->holding_count < queue->settings.leases ? queue->settings.leases - queue->holding_count : 0;
	bool is_idle = holder->tier == TIER_IDLE;
	for (size_t i = 0; i < queue->count; i++) {
		const struct entity *entity = queue->entities[i];
		if (entity != holder && is_waiting(entity) &&
		    (is_idle || entity->settings.class != ENTITY_IDLE || account_is_holding(queue)) && !free_count--)
			return true;
	}
	return false;
}

/* From when others wait. */
static uint64_t lease_ns(const struct run_queue *queue, const struct entity *entity)
{
	if (entity->tier == TIER_REALTIME)
		return entity->budget_left_ns > 0 ? (uint64_t)entity->budget_left_ns : 0;
	return account_slice_ns(queue, entity);
}

/* What a lease must be worth before it is cut short: a switch costs the same for a short one. */
static uint64_t worth_ns(const struct run_queue *queue, const struct entity *entity)
{
	return account_slice_ns(queue, entity) / 8;
}

/* Of a lease that was open until somebody came: a whole slice, unless who came is owed service and the holder is in debt. */
static uint64_t lease_from_now_ns(const struct run_queue *queue, const struct entity *entity)
{
	uint64_t slice_ns = lease_ns(queue, entity), least_ns = worth_ns(queue, entity);

	if (entity->tier == TIER_REALTIME || account_is_holding(queue) || timeline_is_eligible(queue, entity))
		return slice_ns;
	return least_ns < slice_ns ? least_ns : slice_ns;
}

/* When the tokens run out, if it goes on from now: they drain at 1 and come in at the cap. */
static uint64_t tokens_end_ns(const struct entity *entity, uint64_t now_ns)
{
	int64_t left_ns = entity->tokens_ns - (int64_t)(now_ns - entity->charged_at_ns);

	if (left_ns <= 0)
		return now_ns;
	return now_ns + (uint64_t)((__int128)left_ns * ENTITY_WHOLE_PPM / (ENTITY_WHOLE_PPM - entity->cap_ppm));
}

static uint64_t earlier_ns(uint64_t a_ns, uint64_t b_ns)
{
	return !a_ns || (b_ns && b_ns < a_ns) ? b_ns : a_ns;
}

static uint64_t with_cap(const struct entity *entity, uint64_t deadline_ns, uint64_t now_ns)
{
	if (entity->cap_ppm == ENTITY_WHOLE_PPM)
		return deadline_ns;
	return earlier_ns(deadline_ns, tokens_end_ns(entity, now_ns));
}

static void hold(struct run_queue *queue, struct entity *entity, enum tier tier, uint64_t now_ns)
{
	entity->holds = true;
	entity->had_piece = false;
	entity->tier = tier;
	entity->is_off_top = tier == TIER_RESERVED && !timeline_is_eligible(queue, entity);
	entity->granted_at_ns = now_ns;
	entity->charged_at_ns = now_ns;
	entity->lease_used_ns = 0;
	queue->holding_count++;
	entity->deadline_ns = others_wait(queue, entity) ? now_ns + lease_ns(queue, entity) : 0;
}

void run_queue_adopt(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	if (entity->holds)
		return;
	run_queue_wake(queue, entity, 0, now_ns);
	account_refresh(queue, now_ns);
	entity->parked = false;
	timeline_update(queue, entity, now_ns);
	hold(queue, entity, tier_of(queue, entity, timeline_now(queue)), now_ns);
}

bool run_queue_pick(struct run_queue *queue, uint64_t now_ns, struct turn *ret_turn)
{
	struct entity *best = NULL;
	enum tier best_tier = TIER_IDLE;

	account_refresh(queue, now_ns);
	if (queue->holding_count >= queue->settings.leases)
		return false;
	int64_t now_ve = timeline_now(queue);
	for (size_t i = 0; i < queue->count; i++) {
		struct entity *entity = queue->entities[i];
		if (!is_waiting(entity))
			continue;
		enum tier tier = tier_of(queue, entity, now_ve);
		if (!best || tier < best_tier || (tier == best_tier && is_before(tier, entity, best))) {
			best = entity;
			best_tier = tier;
		}
	}
	if (!best)
		return false;
	hold(queue, best, best_tier, now_ns);
	*ret_turn = (struct turn){
		.entity = best,
		.tier = best_tier,
		.deadline_ns = with_cap(best, best->deadline_ns, now_ns),
	};
	return true;
}

/* Whether one that waits in `tier` need not wait for the end of a slice given in `held`. */
static bool overrides(enum tier tier, enum tier held)
{
	switch (held) {
	case TIER_REALTIME:
		return false;
	case TIER_RESERVED:
	case TIER_FAIR:
		return tier == TIER_REALTIME;
	case TIER_AHEAD:
		return tier <= TIER_FAIR;
	case TIER_IDLE:
		return tier < TIER_IDLE;
	}
	return false;
}

/* A holder makes room when more wait who override it than there are holders less worthy than it. */
static bool must_yield(const struct run_queue *queue, const struct entity *holder)
{
	size_t overriding = 0, cheaper = 0;

	if (holder->tier == TIER_REALTIME || queue->holding_count < queue->settings.leases)
		return false;
	int64_t now_ve = timeline_now(queue);
	for (size_t i = 0; i < queue->count; i++) {
		const struct entity *entity = queue->entities[i];
		if (entity == holder)
			continue;
		if (is_waiting(entity))
			overriding += overrides(tier_of(queue, entity, now_ve), holder->tier);
		else if (entity->holds)
			cheaper += entity->tier > holder->tier ||
				   (entity->tier == holder->tier && entity->granted_at_ns < holder->granted_at_ns);
	}
	return overriding > cheaper;
}

/* When a holder may be interrupted: at once for a realtime vGPU. */
static uint64_t yield_at_ns(const struct run_queue *queue, const struct entity *holder, uint64_t now_ns)
{
	uint64_t least_ns = holder->granted_at_ns + worth_ns(queue, holder);

	for (size_t i = 0; i < queue->count; i++)
		if (is_waiting(queue->entities[i]) && account_in_budget(queue, queue->entities[i]))
			return now_ns;
	return least_ns > now_ns ? least_ns : now_ns;
}

/* Who comes while it runs may bring a claim that puts it into debt: it goes on until it is a slice in debt, not beyond. */
static uint64_t debt_end_ns(const struct run_queue *queue, const struct entity *holder, uint64_t now_ns)
{
	int64_t slice_ns = (int64_t)account_slice_ns(queue, holder), left_ns = slice_ns + timeline_lag_ns(queue, holder);
	uint64_t least_ns = holder->granted_at_ns + worth_ns(queue, holder);

	if (left_ns >= slice_ns || !holder->in_set || account_is_holding(queue))
		return 0;
	uint64_t end_ns = now_ns + (left_ns > 0 ? (uint64_t)left_ns : 0);
	return end_ns > least_ns ? end_ns : least_ns;
}

uint64_t run_queue_deadline(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	account_refresh(queue, now_ns);
	if (!others_wait(queue, entity))
		entity->deadline_ns = 0;
	else if (!entity->deadline_ns)
		entity->deadline_ns = now_ns + lease_from_now_ns(queue, entity);
	if (entity->deadline_ns)
		entity->deadline_ns = earlier_ns(entity->deadline_ns, debt_end_ns(queue, entity, now_ns));
	if (entity->deadline_ns && must_yield(queue, entity))
		entity->deadline_ns = earlier_ns(entity->deadline_ns, yield_at_ns(queue, entity, now_ns));
	return with_cap(entity, entity->deadline_ns, now_ns);
}

bool run_queue_may_start(struct run_queue *queue, struct entity *entity, uint64_t kernel_id, uint64_t now_ns)
{
	uint64_t deadline_ns = run_queue_deadline(queue, entity, now_ns);
	bool may = !deadline_ns || now_ns < deadline_ns;

	if (!entity->holds)
		return false;
	if (deadline_ns && entity->had_piece && may)
		may = prediction_of(&entity->prediction, kernel_id) <= deadline_ns - now_ns;
	entity->had_piece |= may;
	return may;
}

/*
 * Splitting costs, so a piece ends where somebody is expected and not before: at the lease's end, and when a realtime vGPU is
 * likely to come. One that comes when nobody knows is waited for in pieces of chunk_ns.
 */
uint64_t run_queue_chunk_ns(struct run_queue *queue, const struct entity *entity, uint64_t now_ns)
{
	uint64_t chunk_ns = queue->settings.chunk_ns, piece_ns = 0;

	if (!chunk_ns)
		return 0;
	if (entity->deadline_ns) {
		piece_ns = entity->deadline_ns > now_ns ? entity->deadline_ns - now_ns : chunk_ns;
		if (entity->tier == TIER_AHEAD || entity->tier == TIER_IDLE)
			piece_ns = chunk_ns;
	} else if (queue->count > 1) {
		piece_ns = queue->settings.target_latency_ns;	/* nobody waits, but somebody may come */
	}
	if (entity->cap_ppm < ENTITY_WHOLE_PPM) {
		uint64_t end_ns = tokens_end_ns(entity, now_ns);
		piece_ns = earlier_ns(piece_ns, end_ns > now_ns ? end_ns - now_ns : chunk_ns);
	}
	for (size_t i = 0; i < queue->count && queue->timed_count; i++) {
		const struct entity *other = queue->entities[i];
		const struct forecast *forecast = &other->forecast;
		uint64_t until_ns = chunk_ns;
		if (other == entity || other->settings.class != ENTITY_REALTIME || other->wants || other->holds || account_is_holding(queue))
			continue;
		uint64_t due_ns = forecast->expected_ns + forecast->deviation_ns * 2;
		if (forecast->expected_ns && now_ns < due_ns)
			until_ns = due_ns - now_ns;
		else if (forecast->expected_ns && now_ns > forecast->expected_ns + forecast->interval_ns / 2)
			until_ns = 4 * chunk_ns;	/* it has paused */
		if (until_ns > 4 * chunk_ns)
			until_ns = 4 * chunk_ns;
		if (until_ns < chunk_ns / 4)
			until_ns = chunk_ns / 4;
		piece_ns = earlier_ns(piece_ns, until_ns);
	}
	if (piece_ns && piece_ns < chunk_ns / 4)
		piece_ns = chunk_ns / 4;
	return piece_ns;
}

bool run_queue_somebody_waits(const struct run_queue *queue)
{
	for (size_t i = 0; i < queue->count; i++)
		if (is_waiting(queue->entities[i]))
			return true;
	return false;
}

bool run_queue_has_free_lease(const struct run_queue *queue)
{
	return queue->holding_count < queue->settings.leases;
}

uint64_t run_queue_next_ns(const struct run_queue *queue, uint64_t now_ns)
{
	uint64_t next_ns = 0;

	if (!queue->timed_count)
		return 0;
	for (size_t i = 0; i < queue->count; i++) {
		const struct entity *entity = queue->entities[i];
		if (!entity->wants || entity->holds)
			continue;
		if (entity->parked) {
			int64_t missing_ns = (int64_t)account_start_tokens_ns(queue, entity) - entity->tokens_ns;
			uint64_t wait_ns = missing_ns <= 0 ? 0 : (uint64_t)((__int128)missing_ns * ENTITY_WHOLE_PPM / entity->cap_ppm) + 1;
			next_ns = earlier_ns(next_ns, entity->tokens_in.at_ns + wait_ns);
		} else if (entity->settings.class == ENTITY_REALTIME && entity->budget_left_ns <= 0) {
			next_ns = earlier_ns(next_ns, entity->period_end_ns);
		}
	}
	return next_ns && next_ns <= now_ns ? now_ns + 1 : next_ns;
}
