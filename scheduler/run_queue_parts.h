/* SPDX-License-Identifier: MIT */
/*
 * The insides of a run queue, shared by its files and nobody else.
 *
 *   run_queue.c   members, settings, records
 *   timeline.c    virtual time: who is owed what
 *   account.c     what time brings back (caps, budgets, reservations) and what a charge takes
 *   pick.c        the questions
 */
#ifndef VGPU_SCHEDULER_RUN_QUEUE_PARTS_H
#define VGPU_SCHEDULER_RUN_QUEUE_PARTS_H

#include "scheduler/prediction.h"
#include "scheduler/run_queue.h"

/* Virtual time is in 1/65536 ns at weight 65536 ... 1 ns at weight 1: service_ns * SCALE / weight. */
#define TIMELINE_SCALE 65536

/* Something that comes in at a rate: exact over any number of steps. */
struct inflow {
	uint64_t at_ns;
	uint64_t rest;	/* of the division, in millionths of 1 ns */
};

/* When a realtime vGPU is expected to want service next. */
struct forecast {
	uint64_t expected_ns;	/* 0 = nothing known */
	uint64_t interval_ns;
	uint64_t deviation_ns;	/* mean distance of arrivals from what was expected */
	uint64_t last_ns;
};

struct entity {
	/* What a scan for the next looks at. */
	int64_t ve;			/* virtual time it has been served up to; while in_set */
	int64_t vd;			/* and where its request ends */
	uint32_t weight;		/* that counts now; see timeline_reweigh */
	bool wants;
	bool holds;
	bool in_set;			/* counts in the queue's virtual time: */
	bool present;			/* because it wants or holds; else because it sleeps in debt */
	bool parked;			/* its cap is used up */
	bool is_timed;			/* has a cap, a budget or a reservation: time brings something */
	bool had_piece;			/* one was started in this lease */
	enum tier tier;			/* of the lease held */
	bool is_off_top;		/* the lease held is not charged to virtual time */
	uint32_t cap_ppm;		/* that counts now: its own, or the policy's */
	int64_t tokens_ns;
	int64_t reserved_ns;
	int64_t budget_left_ns;
	uint64_t period_end_ns;
	uint64_t idle_used_ns;

	struct entity_settings settings;
	int64_t lag_ns;			/* what is owed, while not in_set */
	uint64_t away_since_ns;		/* while not in_set */
	int64_t deferred_ns;
	struct inflow tokens_in;
	struct inflow reserved_in;
	uint64_t granted_at_ns;
	uint64_t charged_at_ns;
	uint64_t deadline_ns;		/* of the lease held; 0 = open */
	uint64_t lease_used_ns;
	uint64_t next_cost_ns;		/* predicted, of the piece it would start first */
	uint64_t used_ns;
	struct forecast forecast;
	struct prediction prediction;
	void *owner;
};

struct run_queue {
	struct run_queue_settings settings;
	struct entity **entities;
	size_t count;
	size_t capacity;
	size_t timed_count;
	size_t holding_count;
	size_t present_count;
	size_t asleep_count;		/* in the set without being present: in debt */
	int64_t set_weight;		/* sum of weights in the set */
	__int128 set_sum;		/* sum of weight * ve in the set */
	int64_t zero_ve;		/* virtual time when the set was last empty */
	bool is_gathering;		/* somebody is present, and nobody has been served since nobody was */
	int64_t gather_ve;		/* virtual time then */
	uint64_t empty_since_ns;	/* since when nobody has been present */
	uint64_t idle_floor_ns;		/* where a newcomer of the idle class begins */
	uint64_t promised_ppm;
};

/* Looked at for each entity in each scan, hence here. */
static inline bool account_is_holding(const struct run_queue *queue)
{
	return queue->settings.policy == POLICY_EQUAL_SHARE || queue->settings.policy == POLICY_FIXED_SHARE;
}

static inline bool account_in_budget(const struct run_queue *queue, const struct entity *entity)
{
	if (entity->settings.class != ENTITY_REALTIME || account_is_holding(queue))
		return false;
	return entity->budget_left_ns > 0 || (entity->holds && entity->tier == TIER_REALTIME);
}

/* timeline.c */
int64_t timeline_now(const struct run_queue *queue);
bool timeline_is_eligible(const struct run_queue *queue, const struct entity *entity);
int64_t timeline_lag_ns(const struct run_queue *queue, const struct entity *entity);
/* Brings an entity into the set or out of it, as its state asks now. */
void timeline_update(struct run_queue *queue, struct entity *entity, uint64_t now_ns);
void timeline_take_out(struct run_queue *queue, struct entity *entity, uint64_t now_ns);
void timeline_charge(struct run_queue *queue, struct entity *entity, uint64_t used_ns, uint64_t now_ns);
/* The same of one that holds no lease: its debt counts from now on, also if it sleeps. */
void timeline_charge_absent(struct run_queue *queue, struct entity *entity, uint64_t used_ns, uint64_t now_ns);
/* Begins a new request: a slice, or the piece it would start first if that is longer. */
void timeline_request(struct run_queue *queue, struct entity *entity);
/* Makes the weights those that count now. */
void timeline_reweigh(struct run_queue *queue, uint64_t now_ns);

/* account.c */
uint64_t account_slice_ns(const struct run_queue *queue, const struct entity *entity);
uint64_t account_burst_ns(const struct run_queue *queue, const struct entity *entity);
uint64_t account_start_tokens_ns(const struct run_queue *queue, const struct entity *entity);
/* The cap that counts now, and whether time brings the entity anything. */
void account_reset(struct run_queue *queue, struct entity *entity, uint64_t now_ns);
/* What time has brought since the last call. */
void account_refresh(struct run_queue *queue, uint64_t now_ns);
void account_arrival(struct entity *entity, uint64_t now_ns);

#endif
