/* SPDX-License-Identifier: MIT */
/* Granting leases and ending them. arbiter.h has the theory. */
#include "scheduler/arbiter_parts.h"

#include <errno.h>

uint64_t arbiter_clock_ns(const struct arbiter *arbiter, uint64_t now_ns)
{
	uint64_t clock_ns = arbiter->ops->clock_ns ? arbiter->ops->clock_ns(arbiter->data) : now_ns;

	return clock_ns > now_ns ? clock_ns : now_ns;
}

static void set_flags(struct arbiter_entity *entity, uint32_t flags)
{
	atomic_store(&entity->grant->word, lease_word(lease_word_epoch(arbiter_word(entity)), flags));
}

static bool ends_by_freezing(const struct arbiter_entity *entity)
{
	return entity->arbiter->settings.freezes && entity->arbiter->ops->freeze && !entity->cannot_freeze;
}

/* ---- freezing ----------------------------------------------------------------------------------- */

/* What the page says comes first: whoever finds it so freezes again, or lets go. */
int arbiter_freeze(struct arbiter_entity *entity, enum lease_frozen how, uint64_t now_ns)
{
	struct arbiter *arbiter = entity->arbiter;

	(void)now_ns;
	if (!arbiter->ops->freeze)
		return -ENOTSUP;
	atomic_store(&entity->grant->frozen, how);
	int error = arbiter->ops->freeze(entity->owner, how == LEASE_FROZEN_WITHOUT ? FREEZE_ALL : FREEZE_ENGINES, arbiter->data);
	if (error) {
		atomic_store(&entity->grant->frozen, LEASE_THAWED);
		arbiter->ops->freeze(entity->owner, FREEZE_NOTHING, arbiter->data);
		entity->cannot_freeze = true;
		return error;
	}
	arbiter->totals.freezes++;
	return 0;
}

void arbiter_thaw(struct arbiter_entity *entity, uint64_t now_ns)
{
	const struct arbiter *arbiter = entity->arbiter;

	(void)now_ns;
	if (!arbiter_is_frozen(entity))
		return;
	atomic_store(&entity->grant->frozen, LEASE_THAWED);
	if (arbiter->ops->freeze)
		arbiter->ops->freeze(entity->owner, FREEZE_NOTHING, arbiter->data);
}

/* Where nothing can be stopped, its kernels are to be launched in pieces so long. */
static void store_chunk(const struct arbiter_entity *entity, uint64_t now_ns)
{
	uint64_t chunk_ns = ends_by_freezing(entity) ? 0 : run_queue_chunk_ns(entity->arbiter->queue, entity->policy, now_ns);

	atomic_store(&entity->grant->chunk_ns, chunk_ns);
}

/* ---- granting ----------------------------------------------------------------------------------- */

/*
 * Until its engines run again the time is the switch's: as long for the short turn of a light vGPU as for a heavy one's, it would cost the light
 * one more of its share. Part of it is seen, the rest, while the kernel wakes them on other processors, is what the settings say of a switch.
 * No vGPU can bring more such time about: only who was stopped at a deadline is let go on.
 */
static void pass_over_resuming(struct arbiter_entity *entity, uint64_t now_ns)
{
	struct arbiter *arbiter = entity->arbiter;
	uint64_t waking_ns = arbiter_queue_settings(arbiter)->switch_cost_ns;

	atomic_store(&entity->grant->granted_at_ns, arbiter_clock_ns(arbiter, now_ns) + waking_ns);
	arbiter->totals.resuming_ns += waking_ns;
}

void arbiter_grant(struct arbiter_entity *entity, uint64_t deadline_ns, uint64_t now_ns)
{
	struct arbiter *arbiter = entity->arbiter;
	struct lease_grant *grant = entity->grant;
	bool was_frozen = arbiter_is_frozen(entity);
	uint64_t word = arbiter_word(entity);
	uint32_t flags = LEASE_GRANTED | (deadline_ns ? LEASE_CONTENDED : 0) | (ends_by_freezing(entity) ? LEASE_FREEZES : 0);

	arbiter_mark_busy(entity);
	entity->is_leasing = true;
	entity->entered = was_frozen;
	entity->due_ns = 0;
	entity->overrun_said = false;
	entity->lease_since_ns = now_ns;
	entity->watched_ns = now_ns;
	atomic_store(&grant->granted_at_ns, now_ns);
	atomic_store(&grant->resumed_ns, now_ns);
	atomic_store(&grant->grants, atomic_load(&grant->grants) + 1);
	atomic_store(&grant->deadline_ns, deadline_ns);
	store_chunk(entity, now_ns);
	/* One that was stopped at the end of its lease goes on under the epoch its engines know. */
	atomic_store(&grant->word, lease_word(lease_word_epoch(word) + (word & LEASE_GRANTED ? 0 : 1), flags));
	arbiter_thaw(entity, now_ns);
	if (!was_frozen || arbiter_is_wanting(entity))
		arbiter->ops->wake(grant, arbiter->data);
	if (was_frozen && deadline_ns)
		pass_over_resuming(entity, now_ns);
	if (arbiter->last != entity)
		arbiter->totals.switches++;
	arbiter->last = entity;
	arbiter_note(entity, TRACE_GRANT, deadline_ns, arbiter_kernel_id(entity), now_ns);
}

/* ---- ending ------------------------------------------------------------------------------------- */

void arbiter_take_back(struct arbiter_entity *entity, uint64_t now_ns)
{
	/* What an open lease used is booked by its engines' word, while the word still says that it is open. */
	if (!(arbiter_word(entity) & LEASE_CONTENDED))
		arbiter_fold(entity, now_ns);
	if (!entity->due_ns)
		entity->due_ns = now_ns;
	atomic_store(&entity->grant->word, lease_word(lease_word_epoch(arbiter_word(entity)) + 1, 0));
}

static void say_overrun(struct arbiter_entity *entity, uint64_t now_ns)
{
	const struct arbiter *arbiter = entity->arbiter;
	uint64_t held_ns = now_ns > entity->lease_since_ns ? now_ns - entity->lease_since_ns : 0;

	entity->overrun_said = true;
	atomic_store(&entity->grant->overruns, atomic_load(&entity->grant->overruns) + 1);
	if (arbiter->ops->overrun)
		arbiter->ops->overrun(entity->owner, held_ns, arbiter->data);
	arbiter_note(entity, TRACE_OVERRUN, now_ns - entity->due_ns, arbiter_kernel_id(entity), now_ns);
}

/* Its engines were asked to end and are in RUN all the same. */
static uint64_t await_release(struct arbiter_entity *entity, uint64_t now_ns)
{
	struct arbiter *arbiter = entity->arbiter;

	if (!entity->due_ns)	/* taken back by an arbiter before this one */
		entity->due_ns = now_ns;
	uint64_t late_ns = entity->due_ns + arbiter->settings.overrun_grace_ns;
	uint64_t hang_ns = arbiter_hang_at_ns(entity, now_ns);
	if (now_ns < late_ns)
		return arbiter_earlier_ns(late_ns, hang_ns);
	if (!entity->overrun_said)
		say_overrun(entity, now_ns);
	/* A word that was taken back is of no use to it: what goes on there goes on without a lease. */
	bool is_granted = arbiter_is_granted(entity);
	/* Elsewhere than on the processor a process that stands still does not stop what the device computes for it. */
	bool stops = arbiter->settings.freezes || arbiter->settings.processors;
	if (stops && !entity->cannot_freeze && !arbiter_freeze(entity, is_granted ? LEASE_FROZEN_AT_END : LEASE_FROZEN_WITHOUT, now_ns)) {
		entity->squats |= !is_granted;
		arbiter_close_books(entity, true, arbiter_clock_ns(arbiter, now_ns));
		return 0;
	}
	return hang_ns;
}

/* Its word was taken back: over, once no engine is in RUN any more. */
static uint64_t finish(struct arbiter_entity *entity, uint64_t now_ns)
{
	if (arbiter_is_running(entity))
		return await_release(entity, now_ns);
	arbiter_close_books(entity, arbiter_is_wanting(entity), now_ns);
	return 0;
}

static uint64_t step_open(struct arbiter_entity *entity, uint32_t flags, uint64_t now_ns)
{
	struct lease_grant *grant = entity->grant;

	if (flags & LEASE_CONTENDED) {	/* who waited is gone */
		arbiter_fold(entity, now_ns);
		atomic_store(&grant->deadline_ns, 0);
		set_flags(entity, flags & ~LEASE_CONTENDED);
	} else if (now_ns >= atomic_load(&grant->granted_at_ns) + ARBITER_FOLD_NS) {
		arbiter_fold(entity, now_ns);
		arbiter_keep_record(entity, now_ns);
	}
	if (!entity->engines && !entity->squats)
		return 0;
	return arbiter_earlier_ns(atomic_load(&grant->granted_at_ns) + ARBITER_FOLD_NS, arbiter_hang_at_ns(entity, now_ns));
}

/* At its deadline. */
static uint64_t end(struct arbiter_entity *entity, uint32_t flags, uint64_t deadline_ns, uint64_t now_ns)
{
	if (!arbiter_is_running(entity) && !entity->squats) {
		arbiter_take_back(entity, now_ns);
		return finish(entity, now_ns);
	}
	if (ends_by_freezing(entity) && !arbiter_freeze(entity, entity->squats ? LEASE_FROZEN_WITHOUT : LEASE_FROZEN_AT_END, now_ns)) {
		arbiter_close_books(entity, true, arbiter_clock_ns(entity->arbiter, now_ns));
		return 0;
	}
	entity->squats = false;		/* it cannot be stopped: what it takes is charged */
	entity->due_ns = deadline_ns;
	set_flags(entity, (flags | LEASE_REVOKE) & ~LEASE_FREEZES);
	entity->arbiter->ops->wake(entity->grant, entity->arbiter->data);
	if (arbiter_is_running(entity))
		return await_release(entity, now_ns);
	arbiter_take_back(entity, now_ns);
	return finish(entity, now_ns);
}

uint64_t arbiter_step(struct arbiter_entity *entity, uint64_t now_ns)
{
	uint32_t flags = lease_word_flags(arbiter_word(entity));

	if (!entity->is_leasing)
		return 0;
	if (!(flags & LEASE_GRANTED))
		return finish(entity, now_ns);
	uint64_t deadline_ns = run_queue_deadline(entity->arbiter->queue, entity->policy, now_ns);
	if (!(flags & LEASE_REVOKE) && !deadline_ns)
		return step_open(entity, flags, now_ns);
	if (!(flags & LEASE_CONTENDED)) {
		arbiter_fold(entity, now_ns);
		flags |= LEASE_CONTENDED;
		atomic_store(&entity->grant->deadline_ns, deadline_ns ? deadline_ns : now_ns);
		store_chunk(entity, now_ns);
		set_flags(entity, flags);
		/* An engine that went idle before it could see CONTENDED told nobody: its state is read again below. */
	}
	if (flags & LEASE_REVOKE)	/* once revoked it stays so; before, the deadline is what the run queue says now */
		deadline_ns = atomic_load(&entity->grant->deadline_ns);
	else if (deadline_ns != atomic_load(&entity->grant->deadline_ns)) {
		atomic_store(&entity->grant->deadline_ns, deadline_ns);
		store_chunk(entity, now_ns);
	}
	bool is_running = arbiter_is_running(entity), is_wanting = arbiter_is_wanting(entity);
	bool squats = !is_running && !is_wanting && arbiter_squat_goes_on(entity, now_ns);
	if (!is_running && !squats && ((flags & LEASE_REVOKE) || !arbiter_is_waiting_to_enter(entity))) {
		arbiter_take_back(entity, now_ns);
		return finish(entity, now_ns);
	}
	if (flags & LEASE_REVOKE)
		return await_release(entity, now_ns);
	if (now_ns >= deadline_ns)
		return end(entity, flags, deadline_ns, now_ns);
	if (squats)	/* nobody says when it is done */
		deadline_ns = arbiter_earlier_ns(deadline_ns, now_ns + ARBITER_LOOK_NS / 8);
	return arbiter_earlier_ns(deadline_ns, arbiter_hang_at_ns(entity, now_ns));
}
