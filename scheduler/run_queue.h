/* SPDX-License-Identifier: MIT */
/*
 * Decides who of a run queue's vGPUs holds a lease next, for how long, and what it is charged: leased EEVDF with persistent debt.
 *
 * Pure policy. No clock (now_ns is an argument and never goes back), no input or output, no log, no thread; memory is allocated
 * when a queue is made and when a vGPU is added, and never by a decision. It knows nothing of lease pages, engines or
 * processes: the arbiter speaks that protocol, the simulator (scheduler/sim) an imagined one, and both ask here.
 *
 * Theory of operation. A run queue is one piece of silicon with `leases` equal servers, an entity (a vGPU) holds at most one of
 * them. The caller says what happens (wake, charge, release), and asks three questions:
 *
 *   run_queue_pick       a lease is free: who gets it, until when?
 *   run_queue_deadline   something happened: until when may this holder go on now?
 *   run_queue_may_start  the holder has another piece of work: may it start in this lease?
 *
 * Who is next (enum tier): a realtime vGPU within its budget, by its period's end; one behind on its reservation; a vGPU
 * that is owed service ("eligible"), by the virtual deadline of its request; for work conservation the least indebted; the
 * idle class. vGPUs whose cap is used up are passed over ("parked").
 *
 * What is owed is kept in virtual time (timeline.c): each vGPU's own advances by used / weight, the queue's is the weighted
 * mean over those that want service now and those that sleep in debt. A vGPU behind the mean is owed, one ahead of it is in debt,
 * and the sum of all is zero. An overrun is debt and is paid back by waiting; sleeping pays nothing back while others are
 * busy, and an idle GPU pays it back at the pace of time. What a vGPU that sleeps is owed fades at the pace of time, down to
 * a quarter of a slice.
 *
 * Realtime service within the budget, and reserved service beyond the weight's share, come off the top: others share what is
 * left by weight.
 *
 * Settings of the queue and of each vGPU can be edited at any time; what is owed is kept, and the next lease obeys.
 */
#ifndef VGPU_SCHEDULER_RUN_QUEUE_H
#define VGPU_SCHEDULER_RUN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/admission.h"
#include "scheduler/entity.h"

struct run_queue;
struct entity;	/* a vGPU in it */

enum policy {
	POLICY_BEST_EFFORT = 0,	/* by weight; what one does not use is the others' */
	POLICY_EQUAL_SHARE = 1,	/* holding: 1/N each of the N vGPUs there are; an idle one's share stays idle */
	POLICY_FIXED_SHARE = 2,	/* holding: 1/slots each, however many there are */
	POLICY_ADAPTIVE = 3,	/* by weight; an overrun is charged over the `averaging` leases that follow */
};
/* The holding policies know no weights, classes or reservations: a vGPU has its slot. Caps still hold. */

#define RUN_QUEUE_LEASES_MAX 256u
#define RUN_QUEUE_SLOTS_MAX 1024u
#define RUN_QUEUE_AVERAGING_MAX 60u
#define RUN_QUEUE_TARGET_LATENCY_NS_MAX 1000000000ull

struct run_queue_settings {
	uint32_t policy;		/* enum policy */
	uint32_t leases;		/* at a time; 1 = time slicing. 1..RUN_QUEUE_LEASES_MAX */
	uint32_t slots;			/* with POLICY_FIXED_SHARE: at least the number of vGPUs, at most RUN_QUEUE_SLOTS_MAX */
	uint32_t averaging;		/* with POLICY_ADAPTIVE: 1..RUN_QUEUE_AVERAGING_MAX */
	uint64_t slice_ns;		/* of all vGPUs without one of their own; 0 = from the five below */
	uint64_t target_latency_ns;	/* a slice is this divided by the vGPUs that want service, */
	uint64_t slice_min_ns;		/* not below this */
	uint64_t slice_max_ns;		/* nor above this, */
	uint64_t switch_cost_ns;	/* and (up to the maximum) so long that this, lost at each switch, */
	uint32_t switch_ppm;		/* is no more than these millionths of it. 0 = do not care */
	uint32_t reserved;
	uint64_t chunk_ns;		/* how long a started piece of work should last where it can be split; 0 = do not split */
};
struct run_queue_settings run_queue_defaults(void);

/* In the order of precedence. */
enum tier {
	TIER_REALTIME,
	TIER_RESERVED,
	TIER_FAIR,
	TIER_AHEAD,	/* in debt, but nobody is owed who wants */
	TIER_IDLE,
};

struct turn {
	struct entity *entity;
	enum tier tier;
	uint64_t deadline_ns;	/* 0 = an open lease: nobody waits */
};

/* 0, -ENOMEM, or -EINVAL with one sentence in ret_why. */
int run_queue_create(const struct run_queue_settings *settings, struct run_queue **ret_queue, char ret_why[ADMISSION_WHY_BYTES]);
/* With its entities. Accepts NULL. */
void run_queue_destroy(struct run_queue *queue);
/* Takes effect with the next lease. Fewer leases than are held: no new ones until enough have ended. 0, or -EINVAL or -ENOSPC with one
 * sentence in ret_why; then nothing has changed. */
int run_queue_configure(struct run_queue *queue, const struct run_queue_settings *settings, uint64_t now_ns,
			char ret_why[ADMISSION_WHY_BYTES]);
const struct run_queue_settings *run_queue_settings(const struct run_queue *queue);

/* Adds a vGPU that wants nothing yet. owner: the caller's, given back by run_queue_owner. 0, -ENOMEM, -EINVAL or -ENOSPC
 * with one sentence in ret_why. */
int run_queue_add(struct run_queue *queue, const struct entity_settings *settings, void *owner, uint64_t now_ns,
		  struct entity **ret_entity, char ret_why[ADMISSION_WHY_BYTES]);
/* The same, with the debts, tokens and budgets of a record (entity.h). */
int run_queue_restore(struct run_queue *queue, const struct entity_record *record, void *owner, uint64_t now_ns,
		      struct entity **ret_entity, char ret_why[ADMISSION_WHY_BYTES]);
/* Accepts NULL. A lease it holds ends. */
void run_queue_remove(struct run_queue *queue, struct entity *entity, uint64_t now_ns);
int run_queue_edit(struct run_queue *queue, struct entity *entity, const struct entity_settings *settings, uint64_t now_ns,
		   char ret_why[ADMISSION_WHY_BYTES]);
/* All that must outlive this process; for entity_record_save. Never fails. */
void run_queue_export(const struct run_queue *queue, const struct entity *entity, uint64_t now_ns, struct entity_record *ret_record);
void *run_queue_owner(const struct entity *entity);
const struct entity_settings *run_queue_entity_settings(const struct entity *entity);

/* ---- what happened ------------------------------------------------------------------------------- */

/* It wants service. kernel_id names the piece of work it would start first, 0 = not known. No harm if it wants already. */
void run_queue_wake(struct run_queue *queue, struct entity *entity, uint64_t kernel_id, uint64_t now_ns);
/* It wants nothing any more. A holder keeps its lease until run_queue_release. */
void run_queue_sleep(struct run_queue *queue, struct entity *entity, uint64_t now_ns);
/* A holder has used used_ns since its grant, or since the last charge. Call before each question that is asked while leases are held. */
void run_queue_charge(struct run_queue *queue, struct entity *entity, uint64_t used_ns, uint64_t now_ns);
/* It used the parent for used_ns without a lease: a debt, also while it sleeps. */
void run_queue_charge_unleased(struct run_queue *queue, struct entity *entity, uint64_t used_ns, uint64_t now_ns);
/* Its lease is over, and all of it is charged. wants_more, kernel_id: as for run_queue_wake. */
void run_queue_release(struct run_queue *queue, struct entity *entity, bool wants_more, uint64_t kernel_id, uint64_t now_ns);
/* A piece of work that could not be stopped took took_ns. */
void run_queue_observe(struct run_queue *queue, struct entity *entity, uint64_t kernel_id, uint64_t took_ns);

/* ---- what to do ---------------------------------------------------------------------------------- */

/* False: nobody may have a lease now, or none is free. Else the entity of *ret_turn holds one from now on. */
bool run_queue_pick(struct run_queue *queue, uint64_t now_ns, struct turn *ret_turn);
/* It holds a lease that was granted before this queue was there (by a scheduler that died): taken as it is, though there be more of
 * such than leases. Charged from now on. */
void run_queue_adopt(struct run_queue *queue, struct entity *entity, uint64_t now_ns);
/* Until when a holder may go on, as things are now; 0 = open. At or before now_ns: it must end now. */
uint64_t run_queue_deadline(struct run_queue *queue, struct entity *entity, uint64_t now_ns);
/* The tail gate: whether a holder may start this piece in its lease, or should end it for those who wait. */
bool run_queue_may_start(struct run_queue *queue, struct entity *entity, uint64_t kernel_id, uint64_t now_ns);
/* How long the next piece of a holder's work should be, if it can be split; 0 = do not split. */
uint64_t run_queue_chunk_ns(struct run_queue *queue, const struct entity *entity, uint64_t now_ns);
/* When time alone may change an answer (a cap's refill, a budget's period); 0 = never. */
uint64_t run_queue_next_ns(const struct run_queue *queue, uint64_t now_ns);

/* Somebody wants a lease who has none and may have one; a lease is free. */
bool run_queue_somebody_waits(const struct run_queue *queue);
bool run_queue_has_free_lease(const struct run_queue *queue);

/* ---- what is known -------------------------------------------------------------------------------- */

struct entity_view {
	int64_t lag_ns;		/* owed; negative = debt */
	uint64_t used_ns;
	uint64_t slice_ns;
	uint64_t predicted_ns;	/* of an unknown kernel */
	bool wants, holds, parked;
};
void run_queue_view(const struct run_queue *queue, const struct entity *entity, struct entity_view *ret_view);

#endif
