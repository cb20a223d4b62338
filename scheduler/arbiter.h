/* SPDX-License-Identifier: MIT */
/*
 * Carries the decisions of one run queue to the vGPUs' lease pages, and what the pages say to the run queue.
 *
 * Pure: no clock of its own, no I/O, no log, no thread. It reads and writes the lease pages
 * (lease.h) it is given, and does the rest through arbiter_ops: futex wake-ups, freezing, processor time, reports.
 *
 * Who is next and until when is the run queue's to say (run_queue.h). Theory of operation. Who holds is in the pages, nothing in here:
 *  - who holds: an entity whose word is GRANTED and who is not frozen;
 *  - who has not let go yet: an entity whose word was taken back, with an engine in RUN under the epoch before;
 *  - who waits: an entity with an engine in WANT, or a frozen one.
 * So arbiter_run can be called at any time, after any event or none, and an arbiter that starts over the pages of one
 * that was killed goes on where that one stopped. It never grants more leases than there are.
 *
 *   nobody waits    GRANTED, deadline 0: an open lease; time used is what its engines say, at most wall time
 *   somebody waits  CONTENDED with a deadline; charged by wall time from here to the observed release
 *   holder idle     taken back at once
 *   deadline        where the parent can be frozen: frozen, and somebody else goes on. Elsewhere REVOKE: nothing new starts; taken back when no
 *                   engine of it is in RUN
 *   overrun         still RUN overrun_grace_ns after a REVOKE, or after its word was taken back: counted, reported once per grant; frozen if
 *                   that is possible, else waited for
 *
 * On a parent that is the processor itself, what a vGPU's processes use outside its leases (builds, parsing, polling, doorbells) is charged
 * as debt, from the kernel's count. Who goes on so (`squat`) is frozen and waits for a lease like everybody: its builds then run in turns.
 *
 * Distrusts the status pages: each field is read once per decision; a lie costs the liar's vGPU its own lease time. Where freezing is
 * impossible a RUN that never ends holds the queue up until the engine is killed (hang_timeout).
 *
 *   arbiter.c           members and the run       arbiter_books.c  what the pages say, what is charged
 *   arbiter_moves.c     grant, end, freeze        arbiter_squat.c  the processor time of those without a lease
 */
#ifndef VGPU_SCHEDULER_ARBITER_H
#define VGPU_SCHEDULER_ARBITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/lease.h"
#include "scheduler/run_queue.h"
#include "scheduler/trace.h"

struct arbiter;
struct arbiter_entity;	/* a vGPU in this run queue */
struct arbiter_engine;	/* one engine process of it */

enum freeze_depth {
	FREEZE_NOTHING = 0,
	FREEZE_ENGINES = 1,
	FREEZE_ALL = 2,
};

struct arbiter_ops {
	/* Required. Wake all who sleep on the futex word of grant. */
	void (*wake)(struct lease_grant *grant, void *data);
	/* NULL = not wanted. The entity with this owner has held the lease for held_ns and was due to end before. */
	void (*overrun)(void *owner, uint64_t held_ns, void *data);
	/*
	 * NULL = no engine can be stopped from outside. When it returns 0, no engine of owner (FREEZE_ALL: no process that serves its guest) uses
	 * the parent any more, and it cannot resist; or, with FREEZE_NOTHING, all go on. -errno: it could not be done.
	 */
	int (*freeze)(void *owner, enum freeze_depth depth, void *data);
	/* NULL = a processor's time is not the parent's. The processor time of all processes of owner so far. */
	uint64_t (*cpu_ns)(void *owner, void *data);
	/* NULL = not wanted. One command of the engine (its owner as given to arbiter_engine_add) has had the lease for lease_ns, longer
	 * than the vGPU's hang_timeout. Said once per command. */
	void (*hang)(void *owner, void *engine_owner, uint64_t lease_ns, void *data);
	/* NULL = not wanted. It used the parent for cpu_ns without a lease and was stopped for that. */
	void (*squat)(void *owner, uint64_t cpu_ns, void *data);
	/* NULL = now_ns throughout a run. The time, for the books of a run in which freezing takes its time. */
	uint64_t (*clock_ns)(void *data);
	/* NULL = not wanted. What was done, for a trace (trace.h). */
	void (*note)(void *owner, enum trace_kind kind, uint64_t value, uint64_t kernel_id, uint64_t now_ns, void *data);
};

struct arbiter_settings {
	uint64_t slice_ns;		/* of all vGPUs; 0 = the run queue's own */
	uint64_t overrun_grace_ns;	/* preempt_timeout */
	bool freezes;			/* leases end by ops.freeze, at the deadline */
	uint32_t processors;		/* the parent is so many processors, and ops.cpu_ns counts; 0 = something else */
};
#define ARBITER_OVERRUN_GRACE_NS 10000000ull	/* preempt_timeout */
#define ARBITER_FOLD_NS 1000000000ull		/* how often an open lease's use is written to its page */
#define ARBITER_SQUAT_NS 2000000ull		/* processor time without a lease that is only charged; more, and it waits for one */
#define ARBITER_LOOK_NS 20000000ull		/* how often the processor time of those without a lease is looked at; eight times */
						/* as long where it was nothing */
#define ARBITER_HANG_MIN_NS 10000000ull

struct arbiter_usage {
	uint64_t gpu_time_ns;	/* contended leases by wall time, open ones by the engines' word, at most wall time */
	uint64_t grants;
	uint64_t overruns;
	uint64_t unleased_ns;	/* processor time without a lease, charged; since this arbiter began */
	uint64_t hangs;		/* engines given up since this arbiter began */
	bool holds;
	bool frozen;
};

/* Of the whole run queue, since this arbiter began. */
struct arbiter_totals {
	uint64_t contended_ns;	/* somebody waited who might have had a lease */
	uint64_t lost_ns;	/* of these, a lease was free: what it took to end one and begin the next */
	uint64_t resuming_ns;	/* charged to nobody: after that, until those who were stopped at their deadline run again, by the settings' switch_cost_ns */
	uint64_t switches;	/* grants to another vGPU than the last */
	uint64_t freezes;
};

/* Borrows ops and data for its life. NULL without memory, or with a slice that is out of bounds. */
struct arbiter *arbiter_create(const struct arbiter_settings *settings, const struct arbiter_ops *ops, void *data);
void arbiter_destroy(struct arbiter *arbiter);

/* While held, nothing new is granted: the service has not yet heard from all who may hold a lease. Starts not held. */
void arbiter_set_hold(struct arbiter *arbiter, bool hold);

/* Adds a vGPU by its grant page, borrowed until removal; a page that says GRANTED is its lease, going on. NULL without memory,
 * or for a page that is not a grant page of our version. */
struct arbiter_entity *arbiter_add(struct arbiter *arbiter, struct lease_grant *grant, void *owner, uint64_t now_ns);
/*
 * Keeps what must outlive the arbiter (debt, cap, budget, settings) in records, two of them, borrowed until removal; goes on from what
 * they say, if that is whole. Call right after arbiter_add. 0, or an error with one sentence in ret_why: the settings of before are
 * not admitted any more, and the vGPU begins with the default ones and without debt.
 */
int arbiter_keep(struct arbiter_entity *entity, struct entity_record records[2], uint64_t now_ns, char ret_why[ADMISSION_WHY_BYTES]);
/* Takes it out with its engines, which must be dead. Accepts NULL. */
void arbiter_remove(struct arbiter *arbiter, struct arbiter_entity *entity, uint64_t now_ns);

/* Adds an engine by its status page, borrowed; while held, it counts as one that was there before. owner: for ops.hang. NULL without
 * memory. */
struct arbiter_engine *arbiter_engine_add(struct arbiter_entity *entity, const struct lease_status *status, void *owner);
/* The engine is dead: what its page says counts no more. Accepts NULL. */
void arbiter_engine_remove(struct arbiter_entity *entity, struct arbiter_engine *engine, uint64_t now_ns);

/* Decides all that can be decided now. Call after every event of a want eventfd, every change of members and when
 * the time it returned has come. Returns when to call again at the latest (CLOCK_MONOTONIC of now_ns), 0 = on an event only. */
uint64_t arbiter_run(struct arbiter *arbiter, uint64_t now_ns);

/* Weight, cap and the like of a vGPU, or the run queue's policy; the default ones before. 0, or -EINVAL or -ENOSPC with one sentence in ret_why. Call arbiter_run afterwards. */
int arbiter_edit(struct arbiter_entity *entity, const struct entity_settings *settings, uint64_t now_ns, char ret_why[ADMISSION_WHY_BYTES]);
int arbiter_configure(struct arbiter *arbiter, const struct run_queue_settings *settings, uint64_t now_ns, char ret_why[ADMISSION_WHY_BYTES]);

/* How long one command may have the lease, 0 = for ever; at least ARBITER_HANG_MIN_NS. See ops.hang. */
void arbiter_set_hang_timeout(struct arbiter_entity *entity, uint64_t timeout_ns);
/* What the parent is; holds from the next lease on. */
void arbiter_set_parent(struct arbiter *arbiter, bool freezes, uint32_t processors);

bool arbiter_freezes(const struct arbiter *arbiter);

void arbiter_totals(const struct arbiter *arbiter, struct arbiter_totals *ret_totals);
void arbiter_usage(const struct arbiter_entity *entity, uint64_t now_ns, struct arbiter_usage *ret_usage);
/* What is obeyed now. Valid until the next call of arbiter_edit or arbiter_configure. */
const struct entity_settings *arbiter_entity_settings(const struct arbiter_entity *entity);
const struct run_queue_settings *arbiter_queue_settings(const struct arbiter *arbiter);

#endif
