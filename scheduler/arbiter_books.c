/* SPDX-License-Identifier: MIT */
/* What the lease pages say, what was used, and what the run queue is told of it. arbiter.h has the theory. */
#include "scheduler/arbiter_parts.h"

/* ---- what the pages say ------------------------------------------------------------------------ */

uint64_t arbiter_word(const struct arbiter_entity *entity)
{
	return atomic_load(&entity->grant->word);
}

bool arbiter_is_granted(const struct arbiter_entity *entity)
{
	return arbiter_word(entity) & LEASE_GRANTED;
}

bool arbiter_is_frozen(const struct arbiter_entity *entity)
{
	return atomic_load(&entity->grant->frozen) != LEASE_THAWED;
}

bool arbiter_is_holding(const struct arbiter_entity *entity)
{
	return arbiter_is_granted(entity) && !arbiter_is_frozen(entity);
}

/* A RUN with any other epoch is of an engine about to see that it came too late (lease.c, enter). seq_cst: the Dekker pair of
 * lease.h. */
bool arbiter_is_running(const struct arbiter_entity *entity)
{
	uint64_t word = arbiter_word(entity);
	uint32_t epoch = lease_word_epoch(word) - ((word & LEASE_GRANTED) ? 0 : 1);

	for (const struct arbiter_engine *engine = entity->engines; engine; engine = engine->next)
		if (atomic_load(&engine->status->state) == LEASE_RUN && atomic_load(&engine->status->run_epoch) == epoch)
			return true;
	return false;
}

bool arbiter_is_wanting(const struct arbiter_entity *entity)
{
	for (const struct arbiter_engine *engine = entity->engines; engine; engine = engine->next)
		if (atomic_load(&engine->status->state) == LEASE_WANT)
			return true;
	return false;
}

bool arbiter_is_waiting_to_enter(const struct arbiter_entity *entity)
{
	uint64_t passed = (uint64_t)lease_word_epoch(arbiter_word(entity)) + 1;

	for (const struct arbiter_engine *engine = entity->engines; engine; engine = engine->next)
		if (atomic_load(&engine->status->state) == LEASE_WANT && atomic_load(&engine->status->passed) != passed)
			return true;
	return false;
}

uint64_t arbiter_kernel_id(const struct arbiter_entity *entity)
{
	for (const struct arbiter_engine *engine = entity->engines; engine; engine = engine->next)
		if (atomic_load(&engine->status->state) != LEASE_IDLE)
			return atomic_load_explicit(&engine->status->kernel_id, memory_order_relaxed);
	return 0;
}

/* ---- what was used ------------------------------------------------------------------------------ */

static uint64_t elapsed_ns(uint64_t from_ns, uint64_t now_ns)
{
	return from_ns && now_ns > from_ns ? now_ns - from_ns : 0;
}

static uint64_t busy_sum_ns(const struct arbiter_entity *entity)
{
	uint64_t sum_ns = 0;

	/* Engines may lie; a sum that wraps is one more lie, bounded by wall time as all are. */
	for (const struct arbiter_engine *engine = entity->engines; engine; engine = engine->next)
		sum_ns += atomic_load_explicit(&engine->status->busy_ns, memory_order_relaxed);
	return sum_ns;
}

static uint64_t busy_since_fold_ns(const struct arbiter_entity *entity, uint64_t wall_ns)
{
	uint64_t sum_ns = busy_sum_ns(entity), base_ns = atomic_load(&entity->grant->busy_base_ns);
	uint64_t delta_ns = sum_ns > base_ns ? sum_ns - base_ns : 0;

	return delta_ns > wall_ns ? wall_ns : delta_ns;
}

void arbiter_mark_busy(struct arbiter_entity *entity)
{
	atomic_store(&entity->grant->busy_base_ns, busy_sum_ns(entity));
}

uint64_t arbiter_unbooked_ns(const struct arbiter_entity *entity, uint64_t now_ns)
{
	uint64_t wall_ns = elapsed_ns(atomic_load(&entity->grant->granted_at_ns), now_ns);
	uint64_t word = arbiter_word(entity);

	if ((word & LEASE_GRANTED) && !(word & LEASE_CONTENDED))
		return busy_since_fold_ns(entity, wall_ns);
	return wall_ns;
}

void arbiter_fold(struct arbiter_entity *entity, uint64_t now_ns)
{
	struct lease_grant *grant = entity->grant;

	atomic_store(&grant->used_ns, atomic_load(&grant->used_ns) + arbiter_unbooked_ns(entity, now_ns));
	atomic_store(&grant->granted_at_ns, now_ns);
	arbiter_mark_busy(entity);
}

/*
 * A command has had the lease for as long as its engine has said nothing of work done. An engine that lies here is
 * spared, and goes on in its own share.
 */
static void watch_commands(struct arbiter_entity *entity, uint64_t used_ns)
{
	const struct arbiter *arbiter = entity->arbiter;

	for (struct arbiter_engine *engine = entity->engines; engine; engine = engine->next) {
		uint64_t heartbeat_ns = atomic_load_explicit(&engine->status->heartbeat_ns, memory_order_relaxed);
		if (heartbeat_ns != engine->heartbeat_ns || atomic_load(&engine->status->state) != LEASE_RUN) {
			engine->heartbeat_ns = heartbeat_ns;
			engine->command_ns = 0;
			engine->hang_said = false;
			continue;
		}
		engine->command_ns += used_ns;
		if (!entity->hang_timeout_ns || engine->command_ns < entity->hang_timeout_ns || engine->hang_said)
			continue;
		engine->hang_said = true;
		entity->hangs++;
		if (arbiter->ops->hang)
			arbiter->ops->hang(entity->owner, engine->owner, engine->command_ns, arbiter->data);
		arbiter_note(entity, TRACE_HANG, engine->command_ns, arbiter_kernel_id(entity), entity->watched_ns + used_ns);
	}
}

uint64_t arbiter_hang_at_ns(const struct arbiter_entity *entity, uint64_t now_ns)
{
	uint64_t at_ns = 0;

	if (!entity->hang_timeout_ns)
		return 0;
	for (const struct arbiter_engine *engine = entity->engines; engine; engine = engine->next)
		if (!engine->hang_said && atomic_load(&engine->status->state) == LEASE_RUN)
			at_ns = arbiter_earlier_ns(at_ns, now_ns + 1 + (entity->hang_timeout_ns > engine->command_ns ?
									entity->hang_timeout_ns - engine->command_ns : 0));
	return at_ns;
}

void arbiter_charge(struct arbiter_entity *entity, uint64_t now_ns)
{
	uint64_t used_ns = atomic_load(&entity->grant->used_ns) + arbiter_unbooked_ns(entity, now_ns);

	if (used_ns <= entity->charged_ns)	/* an engine's own count went back: a lie, and no refund */
		return;
	run_queue_charge(entity->arbiter->queue, entity->policy, used_ns - entity->charged_ns, now_ns);
	entity->charged_ns = used_ns;
}

void arbiter_watch(struct arbiter_entity *entity, uint64_t now_ns)
{
	/* By the wall, whatever the engines say of being busy. */
	if (entity->watched_ns && now_ns > entity->watched_ns)
		watch_commands(entity, now_ns - entity->watched_ns);
	entity->watched_ns = now_ns;
}

void arbiter_keep_record(const struct arbiter_entity *entity, uint64_t now_ns)
{
	struct entity_record record;

	if (!entity->records)
		return;
	run_queue_export(entity->arbiter->queue, entity->policy, now_ns, &record);
	entity_record_save(entity->records, &record);
}

void arbiter_close_books(struct arbiter_entity *entity, bool wants_more, uint64_t now_ns)
{
	uint64_t granted_at_ns = atomic_load(&entity->grant->granted_at_ns);
	uint64_t kernel_id = arbiter_kernel_id(entity);

	arbiter_fold(entity, now_ns);
	arbiter_charge(entity, now_ns);
	arbiter_watch(entity, now_ns);
	entity->watched_ns = 0;
	/* What ran past a deadline could not be stopped: that long it may take again. */
	if (entity->due_ns && now_ns > entity->due_ns && !arbiter_is_frozen(entity))
		run_queue_observe(entity->arbiter->queue, entity->policy, kernel_id, elapsed_ns(entity->due_ns, now_ns));
	run_queue_release(entity->arbiter->queue, entity->policy, wants_more, kernel_id, now_ns);
	arbiter_note(entity, TRACE_RELEASE, elapsed_ns(entity->lease_since_ns ? entity->lease_since_ns : granted_at_ns, now_ns), kernel_id, now_ns);
	atomic_store(&entity->grant->granted_at_ns, 0);
	entity->is_leasing = false;
	entity->due_ns = 0;
	entity->overrun_said = false;
	entity->is_settled = false;
}

/* What can wait until the next lease has begun: its vGPU stands, or waits. */
void arbiter_settle_books(struct arbiter_entity *entity, uint64_t now_ns)
{
	if (entity->is_settled)
		return;
	entity->is_settled = true;
	if (!entity->is_leasing)
		arbiter_cpu_covered(entity, now_ns);
	arbiter_keep_record(entity, now_ns);
}

void arbiter_mark(struct arbiter *arbiter, uint64_t now_ns)
{
	if (arbiter->marked_ns && now_ns > arbiter->marked_ns && arbiter->somebody_waits) {
		arbiter->totals.contended_ns += now_ns - arbiter->marked_ns;
		if (arbiter->is_lease_free)
			arbiter->totals.lost_ns += now_ns - arbiter->marked_ns;
	}
	arbiter->marked_ns = now_ns;
}
