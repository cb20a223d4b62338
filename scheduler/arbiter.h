/* SPDX-License-Identifier: MIT */
/*
 * Carries the decisions of one run queue to the vGPUs' lease pages, and what the pages say to the run queue.
 *
 * Pure: no clock (now_ns is an argument), no I/O, no log, no thread. It reads and writes the lease pages
 * (lease.h) it is given, and asks for futex wake-ups and reports overruns through arbiter_ops.
 *
 * Who is next and until when is the run queue's to say (run_queue.h). Theory of operation. Who holds is in the pages, nothing in here:
 *  - who holds: the one entity whose word is GRANTED;
 *  - who has not let go yet: an entity whose word was taken back, with an engine in RUN under the epoch before;
 *  - who waits: an entity with an engine in WANT.
 * So arbiter_run can be called at any time, after any event or none, and an arbiter that starts over the pages of one
 * that was killed goes on where that one stopped. It never grants while anybody holds or has not let go.
 *
 *   nobody waits    GRANTED, deadline 0: an open lease; time used is what its engines say, at most wall time
 *   somebody waits  CONTENDED with a deadline; charged by wall time from here to the observed release
 *   holder idle     taken back at once
 *   deadline        REVOKE: nothing new starts; taken back when no engine of it is in RUN
 *   overrun         still RUN overrun_grace_ns after that: counted, reported once per grant, waited for
 *
 * Distrusts the status pages: each field is read once per decision; a lie costs the liar's vGPU its own lease time,
 * and a RUN that never ends holds the queue up until the engine is killed.
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

struct arbiter_ops {
	/* Required. Wake all who sleep on the futex word of grant. */
	void (*wake)(struct lease_grant *grant, void *data);
	/* NULL = not wanted. The entity with this owner has held the lease for held_ns and was due to end before. */
	void (*overrun)(void *owner, uint64_t held_ns, void *data);
	/*
	 * NULL = this parent's work cannot be stopped: leases end when it is drained. Stops all engines of owner where they stand, or lets
	 * them go on. When it returns 0 none of them uses the parent any more; they cannot resist. -errno: this lease ends by a drain.
	 */
	int (*freeze)(void *owner, bool is_frozen, void *data);
	/* NULL = a processor's time is not the parent's. The processor time of all processes of owner so far. */
	uint64_t (*cpu_ns)(void *owner, void *data);
	/* NULL = not wanted. One command of the engine (its owner as given to arbiter_engine_add) has had the lease for lease_ns, longer
	 * than the vGPU's hang_timeout. Said once per command. */
	void (*hang)(void *owner, void *engine_owner, uint64_t lease_ns, void *data);
	/* NULL = not wanted. It used the parent for cpu_ns without a lease and was stopped for that. */
	void (*squat)(void *owner, uint64_t cpu_ns, void *data);
	/* NULL = not wanted. What was done, for a trace (trace.h). */
	void (*note)(void *owner, enum trace_kind kind, uint64_t value, uint64_t kernel_id, uint64_t now_ns, void *data);
};

struct arbiter_settings {
	uint64_t slice_ns;		/* of all vGPUs; 0 = the run queue's own */
	uint64_t overrun_grace_ns;
};
#define ARBITER_SLICE_NS 4000000ull
#define ARBITER_OVERRUN_GRACE_NS 10000000ull	/* preempt_timeout */
#define ARBITER_FOLD_NS 1000000000ull		/* how often an open lease's use is written to its page */

struct arbiter_usage {
	uint64_t gpu_time_ns;	/* contended leases by wall time, open ones by the engines' word, at most wall time */
	uint64_t grants;
	uint64_t overruns;
	bool holds;
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

/* Adds an engine by its status page, borrowed; while held, it counts as one that was there before. NULL without memory. */
struct arbiter_engine *arbiter_engine_add(struct arbiter_entity *entity, const struct lease_status *status);
/* The engine is dead: what its page says counts no more. Accepts NULL. */
void arbiter_engine_remove(struct arbiter_entity *entity, struct arbiter_engine *engine, uint64_t now_ns);

/* Decides all that can be decided now. Call after every event of a want eventfd, every change of members and when
 * the time it returned has come. Returns when to call again at the latest (CLOCK_MONOTONIC of now_ns), 0 = on an event only. */
uint64_t arbiter_run(struct arbiter *arbiter, uint64_t now_ns);

/* Weight, cap and the like of a vGPU, or the run queue's policy; the default ones before. One lease is granted at a time, whatever
 * settings->leases says. 0, or -EINVAL or -ENOSPC with one sentence in ret_why. Call arbiter_run afterwards. */
int arbiter_edit(struct arbiter_entity *entity, const struct entity_settings *settings, uint64_t now_ns, char ret_why[ADMISSION_WHY_BYTES]);
int arbiter_configure(struct arbiter *arbiter, const struct run_queue_settings *settings, uint64_t now_ns, char ret_why[ADMISSION_WHY_BYTES]);

void arbiter_usage(const struct arbiter_entity *entity, uint64_t now_ns, struct arbiter_usage *ret_usage);
/* What is obeyed now. Valid until the next call of arbiter_edit or arbiter_configure. */
const struct entity_settings *arbiter_entity_settings(const struct arbiter_entity *entity);
const struct run_queue_settings *arbiter_queue_settings(const struct arbiter *arbiter);

#endif
