/* SPDX-License-Identifier: MIT */
/*
 * The insides of an arbiter, shared by its files and nobody else.
 *
 *   arbiter.c        members, and the run: look, step, pick
 *   arbiter_books.c  what the pages say; what was used, and what the run queue is told of it
 *   arbiter_moves.c  granting and ending leases
 *   arbiter_squat.c  processor time without a lease
 */
#ifndef VGPU_SCHEDULER_ARBITER_PARTS_H
#define VGPU_SCHEDULER_ARBITER_PARTS_H

#include "scheduler/arbiter.h"

struct arbiter_engine {
	const struct lease_status *status;
	void *owner;
	uint64_t heartbeat_ns;		/* when it last said that work was done, */
	uint64_t command_ns;		/* and how long it has had the lease since */
	bool hang_said;
	struct arbiter_engine *next;
};

struct arbiter_entity {
	struct arbiter *arbiter;
	struct lease_grant *grant;
	void *owner;
	struct arbiter_engine *engines;
	struct entity *policy;		/* what the run queue knows of it */
	struct entity_record *records;	/* two, where they outlive us; NULL = not kept */
	uint64_t charged_ns;		/* of the use in the page, to the run queue */
	uint64_t due_ns;		/* when an overrun begins to count; 0 = not asked to end */
	bool overrun_said;
	bool is_leasing;		/* the run queue counts a lease as held: until it is known to be over */
	bool entered;			/* an engine was seen at work in this lease */
	bool wanted;			/* as last noted */
	bool is_settled;		/* what follows the end of a lease is done */
	bool cannot_freeze;		/* it failed lately; leases end by a drain */
	uint64_t hang_timeout_ns;	/* 0 = none */
	uint64_t lease_since_ns;	/* when the lease held began: granted_at_ns moves with each booking */
	uint64_t watched_ns;		/* up to when hanging commands were looked for; 0 = it has no lease */
	/* arbiter_squat.c */
	uint64_t cpu_ns;		/* the count of processor time when it was last read, */
	uint64_t cpu_at_ns;		/* and when that was */
	uint64_t cpu_every_ns;		/* how often it is read */
	uint64_t unleased_bucket_ns;	/* without a lease lately: drips out at a 1/128 of a processor */
	uint64_t unleased_ns;
	uint64_t hangs;
	bool squats;			/* it goes on without a lease, so it is treated as one who wants */
};

struct arbiter {
	struct arbiter_settings settings;
	const struct arbiter_ops *ops;
	void *data;
	struct run_queue *queue;
	struct arbiter_entity **entities;
	size_t count;
	size_t capacity;
	bool hold;
	/* books */
	const struct arbiter_entity *last;	/* who was granted last */
	struct arbiter_totals totals;
	uint64_t marked_ns;		/* up to when totals are right */
	bool somebody_waits;		/* since then, */
	bool is_lease_free;		/* and a lease was free */
};

static inline uint64_t arbiter_earlier_ns(uint64_t a_ns, uint64_t b_ns)
{
	return !a_ns || (b_ns && b_ns < a_ns) ? b_ns : a_ns;
}

static inline void arbiter_note(const struct arbiter_entity *entity, enum trace_kind kind, uint64_t value, uint64_t kernel_id, uint64_t now_ns)
{
	const struct arbiter *arbiter = entity->arbiter;

	if (arbiter->ops->note)
		arbiter->ops->note(entity->owner, kind, value, kernel_id, now_ns, arbiter->data);
}

/* arbiter_books.c: what the pages say */
uint64_t arbiter_word(const struct arbiter_entity *entity);
bool arbiter_is_granted(const struct arbiter_entity *entity);
bool arbiter_is_frozen(const struct arbiter_entity *entity);
/* It holds a lease: granted, and not frozen. */
bool arbiter_is_holding(const struct arbiter_entity *entity);
/* An engine may be on the device: under the grant that stands, or under the one taken back last. */
bool arbiter_is_running(const struct arbiter_entity *entity);
bool arbiter_is_wanting(const struct arbiter_entity *entity);
/* An engine wants, and did not pass the grant that stands (lease_pass). */
bool arbiter_is_waiting_to_enter(const struct arbiter_entity *entity);
uint64_t arbiter_kernel_id(const struct arbiter_entity *entity);

/* arbiter_books.c: what was used */
uint64_t arbiter_unbooked_ns(const struct arbiter_entity *entity, uint64_t now_ns);
void arbiter_mark_busy(struct arbiter_entity *entity);
/* Books what was used up to now; the grant, if it stands, goes on being counted from now. */
void arbiter_fold(struct arbiter_entity *entity, uint64_t now_ns);
/* Tells the run queue what was used since it was last told. */
void arbiter_charge(struct arbiter_entity *entity, uint64_t now_ns);
/* Looks for commands that hang. */
void arbiter_watch(struct arbiter_entity *entity, uint64_t now_ns);
/* Its lease is over. */
void arbiter_close_books(struct arbiter_entity *entity, bool wants_more, uint64_t now_ns);
void arbiter_settle_books(struct arbiter_entity *entity, uint64_t now_ns);
void arbiter_keep_record(const struct arbiter_entity *entity, uint64_t now_ns);
/* When a command of it will have had the lease for too long; 0 = never. */
uint64_t arbiter_hang_at_ns(const struct arbiter_entity *entity, uint64_t now_ns);
/* Brings the totals up to now. */
void arbiter_mark(struct arbiter *arbiter, uint64_t now_ns);

/* arbiter_moves.c */
/* deadline_ns 0 = an open lease. Lets a frozen one go on. */
void arbiter_grant(struct arbiter_entity *entity, uint64_t deadline_ns, uint64_t now_ns);
void arbiter_take_back(struct arbiter_entity *entity, uint64_t now_ns);
/* 0 or -errno, then nothing has changed. */
int arbiter_freeze(struct arbiter_entity *entity, enum lease_frozen how, uint64_t now_ns);
void arbiter_thaw(struct arbiter_entity *entity, uint64_t now_ns);
/* Moves on one who has a lease, or has not let go of it. When to look again; 0 = on an event only. */
uint64_t arbiter_step(struct arbiter_entity *entity, uint64_t now_ns);
/* The time, where ops can tell it. */
uint64_t arbiter_clock_ns(const struct arbiter *arbiter, uint64_t now_ns);

/* arbiter_squat.c */
/* Processor time used up to now belongs to a lease. */
void arbiter_cpu_covered(struct arbiter_entity *entity, uint64_t now_ns);
/* Processor time used up to now was used without one: charged; true if it is too much to go on so. */
bool arbiter_cpu_unleased(struct arbiter_entity *entity, uint64_t now_ns);
/* Looks at one without a lease if it is time; when to look again, 0 = never. others: somebody else wants the parent, or has it. */
uint64_t arbiter_squat_look(struct arbiter_entity *entity, bool others, uint64_t now_ns);
/* One who holds a lease only because it squatted: whether it is still at it. */
bool arbiter_squat_goes_on(struct arbiter_entity *entity, uint64_t now_ns);

#endif
