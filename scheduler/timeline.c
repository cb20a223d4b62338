/* SPDX-License-Identifier: MIT */
/*
 * Virtual time: who is owed service and who is in debt (run_queue.h has the theory).
 *
 * Owns the set: entities that are present (want or hold, are not parked, and are not served off the top), and those
 * that sleep in debt. Its virtual time V is the weighted mean of its members' ve, in exact integers, so that the sum of what is owed
 * is zero at all times. Each change of the set keeps every entity's own lag:
 *  - one that leaves with a lag hands it to those who stay (V moves), and takes it back when it returns: ve is placed so that
 *    its lag is right after it has moved V itself, hence the factor (W + w) / W;
 *  - when nobody is present any more V stands still, and debts shrink by the time that passes.
 *
 * Sources: Stoica and Abdel-Wahab, "Earliest Eligible Virtual Deadline First" (1995), for lag, eligibility and the strategies of joining;
 * Chandra et al., "Surplus Fair Scheduling" (2000), for weights that no number of leases could serve.
 */
#include "scheduler/run_queue_parts.h"

#define REBASE_AT (1ll << 60)
#define FARTHEST (1ll << 61)	/* a debt's largest distance in virtual time: 9.7 h at weight 1 */

static int64_t virtual_of(int64_t service_ns, uint32_t weight)
{
	__int128 distance = (__int128)service_ns * TIMELINE_SCALE / weight;

	if (distance > FARTHEST)
		return FARTHEST;
	return distance < -FARTHEST ? -FARTHEST : (int64_t)distance;
}

static int64_t service_of(__int128 virtual_time, uint32_t weight)
{
	return (int64_t)(virtual_time * weight / TIMELINE_SCALE);
}

int64_t timeline_now(const struct run_queue *queue)
{
	if (!queue->set_weight)
		return queue->zero_ve;
	/* Towards minus infinity, so that the entity at the mean is eligible wherever zero is. */
	__int128 floor = queue->set_sum / queue->set_weight;
	if (queue->set_sum < 0 && floor * queue->set_weight != queue->set_sum)
		floor--;
	return (int64_t)floor;
}

/* The same as ve <= timeline_now, without the division. */
bool timeline_is_eligible(const struct run_queue *queue, const struct entity *entity)
{
	return entity->in_set && (__int128)entity->ve * queue->set_weight <= queue->set_sum;
}

int64_t timeline_lag_ns(const struct run_queue *queue, const struct entity *entity)
{
	if (!entity->in_set)
		return entity->lag_ns;
	return service_of((__int128)timeline_now(queue) - entity->ve, entity->weight);
}

static void rebase(struct run_queue *queue)
{
	int64_t zero = timeline_now(queue);

	for (size_t i = 0; i < queue->count; i++) {
		struct entity *entity = queue->entities[i];
		if (!entity->in_set)
			continue;
		entity->ve -= zero;
		entity->vd -= zero;
	}
	queue->set_sum -= (__int128)zero * queue->set_weight;
	queue->zero_ve -= zero;
	queue->gather_ve -= zero;
}

static void insert(struct run_queue *queue, struct entity *entity, int64_t ve)
{
	entity->ve = ve;
	entity->in_set = true;
	queue->set_weight += entity->weight;
	queue->set_sum += (__int128)ve * entity->weight;
}

static void extract(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	entity->lag_ns = timeline_lag_ns(queue, entity);
	entity->away_since_ns = now_ns;
	queue->zero_ve = timeline_now(queue);
	queue->set_weight -= entity->weight;
	queue->set_sum -= (__int128)entity->ve * entity->weight;
	entity->in_set = false;
	if (entity->present)
		queue->present_count--;
	else
		queue->asleep_count--;
	entity->present = false;
}

/* Puts it where its lag is lag_ns once it is in. */
static void place(struct run_queue *queue, struct entity *entity, int64_t lag_ns)
{
	__int128 distance = lag_ns;

	if (queue->set_weight)
		distance = distance * (queue->set_weight + entity->weight) / queue->set_weight;
	if (distance > FARTHEST / TIMELINE_SCALE)
		distance = FARTHEST / TIMELINE_SCALE;
	if (distance < -FARTHEST / TIMELINE_SCALE)
		distance = -FARTHEST / TIMELINE_SCALE;
	insert(queue, entity, timeline_now(queue) - virtual_of((int64_t)distance, entity->weight));
}

/*
 * What is still owed after an absence: at most a slice. Who submits kernels one by one comes and goes many times before it has had what it is
 * owed, and must not lose its claim by that; but one who is hardly there must not gather claims without end, each of which
 * is a debt of those who stayed. While it slept the fluid ideal owed it nothing more, and what it would have had went by: down to a
 * quarter of a slice, since several who return at once add up.
 */
static int64_t lag_after_ns(const struct run_queue *queue, const struct entity *entity, uint64_t now_ns)
{
	int64_t slice_ns = (int64_t)account_slice_ns(queue, entity), lag_ns = entity->lag_ns;
	int64_t away_ns = (int64_t)(now_ns - entity->away_since_ns);

	if (lag_ns <= slice_ns / 4)
		return lag_ns;
	lag_ns = (lag_ns < slice_ns ? lag_ns : slice_ns) - away_ns;
	return lag_ns > slice_ns / 4 ? lag_ns : slice_ns / 4;
}

/*
 * How much of a claim may be brought back. What one takes along is what those who stay are in debt to it; of several who come and go in
 * turns each would add its own, so none brings more than leaves everybody within a slice and a piece of its own in debt.
 */
static int64_t claim_that_fits_ns(const struct run_queue *queue, int64_t claim_ns)
{
	for (size_t i = 0; i < queue->count && claim_ns > 0; i++) {
		const struct entity *entity = queue->entities[i];
		if (!entity->in_set)
			continue;
		int64_t room_ns = timeline_lag_ns(queue, entity) + (int64_t)(account_slice_ns(queue, entity) + entity->prediction.peak_ns);
		if (room_ns <= 0)
			return 0;
		__int128 most_ns = (__int128)room_ns * queue->set_weight / entity->weight;
		if (claim_ns > most_ns)
			claim_ns = (int64_t)most_ns;
	}
	return claim_ns;
}

/* Nobody is present: V stands, and the set is dissolved until somebody is. */
static void suspend(struct run_queue *queue, int64_t zero_ve, uint64_t now_ns)
{
	for (size_t i = 0; i < queue->count && queue->asleep_count; i++) {
		struct entity *entity = queue->entities[i];
		if (!entity->in_set)
			continue;
		entity->lag_ns = service_of((__int128)zero_ve - entity->ve, entity->weight);
		entity->away_since_ns = now_ns;
		entity->in_set = false;
		queue->asleep_count--;
	}
	queue->set_weight = 0;
	queue->set_sum = 0;
	queue->zero_ve = zero_ve;
	queue->empty_since_ns = now_ns;
}

/* What is left of a debt: an idle GPU pays it back at the pace of time. */
static int64_t paid_by_idleness_ns(const struct run_queue *queue, const struct entity *entity, uint64_t now_ns)
{
	uint64_t from_ns = entity->away_since_ns > queue->empty_since_ns ? entity->away_since_ns : queue->empty_since_ns;
	int64_t left_ns = entity->lag_ns + (int64_t)(now_ns - from_ns);

	return left_ns < 0 ? left_ns : 0;
}

/* Somebody is present again: debts that the idle time has not paid are in the set again. */
static void resume(struct run_queue *queue, const struct entity *first, uint64_t now_ns)
{
	queue->is_gathering = true;
	queue->gather_ve = queue->zero_ve;
	for (size_t i = 0; i < queue->count; i++) {
		struct entity *entity = queue->entities[i];
		if (entity->in_set || entity->lag_ns >= 0)
			continue;
		entity->lag_ns = paid_by_idleness_ns(queue, entity, now_ns);
		entity->away_since_ns = now_ns;
		if (!entity->lag_ns || entity == first)
			continue;
		insert(queue, entity, queue->zero_ve - virtual_of(entity->lag_ns, entity->weight));
		queue->asleep_count++;
	}
}

static bool belongs(const struct run_queue *queue, const struct entity *entity)
{
	if (!(entity->wants || entity->holds) || entity->parked)
		return false;
	if (account_is_holding(queue))
		return true;
	return entity->settings.class != ENTITY_IDLE && !account_in_budget(queue, entity);
}

/* Takes those out who slept until the others had caught up. Each that goes moves V on, which may free another. */
static void let_repaid_go(struct run_queue *queue, uint64_t now_ns)
{
	for (bool again = queue->asleep_count; again;) {
		again = false;
		for (size_t i = 0; i < queue->count && queue->asleep_count; i++) {
			struct entity *entity = queue->entities[i];
			if (!entity->in_set || entity->present || !timeline_is_eligible(queue, entity))
				continue;
			extract(queue, entity, now_ns);
			entity->lag_ns = 0;
			again = true;
		}
	}
}

void timeline_take_out(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	bool was_last = entity->present && queue->present_count == 1;
	int64_t zero_ve = timeline_now(queue);

	if (!entity->in_set)
		return;
	extract(queue, entity, now_ns);
	if (was_last)
		suspend(queue, zero_ve, now_ns);
}

void timeline_update(struct run_queue *queue, struct entity *entity, uint64_t now_ns)
{
	if (belongs(queue, entity)) {
		if (entity->present)
			return;
		if (entity->in_set) {
			queue->asleep_count--;
		} else {
			if (!queue->present_count)
				resume(queue, entity, now_ns);
			int64_t lag_ns = lag_after_ns(queue, entity, now_ns);
			/* Until anybody is served, all who come are there together: after a restart they come one by one. */
			if (queue->is_gathering)
				insert(queue, entity, queue->gather_ve - virtual_of(lag_ns, entity->weight));
			else
				place(queue, entity, lag_ns > 0 ? claim_that_fits_ns(queue, lag_ns) : lag_ns);
		}
		entity->present = true;
		queue->present_count++;
		timeline_reweigh(queue, now_ns);
		timeline_request(queue, entity);
		return;
	}
	if (entity->present) {
		if (queue->present_count > 1 && !timeline_is_eligible(queue, entity)) {
			entity->present = false;	/* sleeps in debt */
			queue->present_count--;
			queue->asleep_count++;
		} else {
			timeline_take_out(queue, entity, now_ns);
		}
		timeline_reweigh(queue, now_ns);
	}
	let_repaid_go(queue, now_ns);
}

void timeline_charge(struct run_queue *queue, struct entity *entity, uint64_t used_ns, uint64_t now_ns)
{
	if (!entity->in_set) {
		entity->lag_ns -= (int64_t)used_ns;
		return;
	}
	int64_t distance = virtual_of((int64_t)used_ns, entity->weight);
	if (used_ns)
		queue->is_gathering = false;
	entity->ve += distance;
	queue->set_sum += (__int128)distance * entity->weight;
	if (entity->ve > REBASE_AT)
		rebase(queue);
	let_repaid_go(queue, now_ns);
}

void timeline_charge_absent(struct run_queue *queue, struct entity *entity, uint64_t used_ns, uint64_t now_ns)
{
	if (entity->in_set) {
		timeline_charge(queue, entity, used_ns, now_ns);
		timeline_request(queue, entity);
		return;
	}
	int64_t lag_ns = lag_after_ns(queue, entity, now_ns);
	if (lag_ns < 0 && !queue->present_count)
		lag_ns = paid_by_idleness_ns(queue, entity, now_ns);
	entity->lag_ns = lag_ns - (int64_t)used_ns;
	entity->away_since_ns = now_ns;
	/* Off the top or parked it comes back by itself; who sleeps in debt is in the set as long as anybody is. */
	if (entity->lag_ns >= 0 || entity->wants || entity->holds || !queue->present_count)
		return;
	place(queue, entity, entity->lag_ns);
	queue->asleep_count++;
	timeline_reweigh(queue, now_ns);
}

/* Each lease is a request of its own: one that was cut short has moved ve, and with it vd, by as little as it had. */
void timeline_request(struct run_queue *queue, struct entity *entity)
{
	uint64_t request_ns = account_slice_ns(queue, entity);

	if (!entity->in_set)
		return;
	if (entity->next_cost_ns > request_ns)
		request_ns = entity->next_cost_ns;
	entity->vd = entity->ve + virtual_of((int64_t)request_ns, entity->weight);
}

static void set_weight_of(struct run_queue *queue, struct entity *entity, int64_t now_ve, uint32_t weight)
{
	if (entity->weight == weight)
		return;
	if (!entity->in_set) {
		entity->weight = weight;
		return;
	}
	int64_t lag_ns = service_of((__int128)now_ve - entity->ve, entity->weight);
	queue->set_weight -= entity->weight;
	queue->set_sum -= (__int128)entity->ve * entity->weight;
	entity->weight = weight;
	insert(queue, entity, now_ve - virtual_of(lag_ns, weight));
	timeline_request(queue, entity);
}

/*
 * With several leases a vGPU can be served by one at a time: a weight that asks for more of them than that is infeasible, and would
 * gather credit without end. The infeasible ones, heaviest first, count as much as one lease's worth of all the others.
 */
static void bound_weights(struct run_queue *queue, int64_t now_ve)
{
	uint64_t rest = 0, left = queue->settings.leases, last_weight = UINT64_MAX;
	size_t last = queue->count;	/* the infeasible are those before it, by falling weight and then by index */

	for (size_t i = 0; i < queue->count; i++)
		rest += queue->entities[i]->present ? queue->entities[i]->settings.weight : 0;
	while (left > 1 && rest) {
		uint64_t heaviest = 0;
		size_t at = queue->count;
		for (size_t i = 0; i < queue->count; i++) {
			uint64_t weight = queue->entities[i]->settings.weight;
			bool is_after = weight < last_weight || (weight == last_weight && i > last);
			if (!queue->entities[i]->present || !is_after || weight <= heaviest)
				continue;
			heaviest = weight;
			at = i;
		}
		if (heaviest * left <= rest)
			break;
		last_weight = heaviest;
		last = at;
		rest -= heaviest;
		left--;
	}
	uint64_t most = rest ? rest / left : ENTITY_WEIGHT;
	for (size_t i = 0; i < queue->count; i++) {
		struct entity *entity = queue->entities[i];
		uint64_t weight = entity->settings.weight;
		bool is_infeasible = entity->present && last < queue->count &&
				     (weight > last_weight || (weight == last_weight && i <= last));
		set_weight_of(queue, entity, now_ve, (uint32_t)(is_infeasible ? (most ? most : 1) : weight));
	}
}

void timeline_reweigh(struct run_queue *queue, uint64_t now_ns)
{
	int64_t now_ve = timeline_now(queue);
	bool is_holding = account_is_holding(queue);

	if (!is_holding && queue->settings.leases > 1) {
		bound_weights(queue, now_ve);
	} else {
		for (size_t i = 0; i < queue->count; i++)
			set_weight_of(queue, queue->entities[i], now_ve,
				      is_holding ? ENTITY_WEIGHT : queue->entities[i]->settings.weight);
	}
	let_repaid_go(queue, now_ns);
}
