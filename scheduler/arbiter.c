/* SPDX-License-Identifier: MIT */
/* Members of an arbiter, and the run: look, step, pick. arbiter.h has the theory. */
#include "scheduler/arbiter.h"

#include <errno.h>
#include <stdlib.h>

#include "scheduler/arbiter_parts.h"

struct arbiter *arbiter_create(const struct arbiter_settings *settings, const struct arbiter_ops *ops, void *data)
{
	struct arbiter *arbiter = calloc(1, sizeof(*arbiter));
	struct run_queue_settings queue = run_queue_defaults();
	char why[ADMISSION_WHY_BYTES];

	queue.slice_ns = settings->slice_ns;
	if (!arbiter)
		return NULL;
	if (run_queue_create(&queue, &arbiter->queue, why)) {
		free(arbiter);
		return NULL;
	}
	arbiter->settings = *settings;
	arbiter->ops = ops;
	arbiter->data = data;
	return arbiter;
}

static void entity_destroy(struct arbiter_entity *entity)
{
	while (entity->engines) {
		struct arbiter_engine *engine = entity->engines;
		entity->engines = engine->next;
		free(engine);
	}
	free(entity);
}

void arbiter_destroy(struct arbiter *arbiter)
{
	if (!arbiter)
		return;
	for (size_t i = 0; i < arbiter->count; i++)
		entity_destroy(arbiter->entities[i]);
	free(arbiter->entities);
	run_queue_destroy(arbiter->queue);
	free(arbiter);
}

void arbiter_set_hold(struct arbiter *arbiter, bool hold)
{
	arbiter->hold = hold;
}

void arbiter_set_parent(struct arbiter *arbiter, bool freezes, uint32_t processors)
{
	arbiter->settings.freezes = freezes;
	arbiter->settings.processors = processors;
}

bool arbiter_freezes(const struct arbiter *arbiter)
{
	return arbiter->settings.freezes;
}

/* ---- the run ------------------------------------------------------------------------------------- */

static bool wants(const struct arbiter_entity *entity)
{
	return arbiter_is_wanting(entity) || arbiter_is_running(entity) || arbiter_is_frozen(entity) || entity->squats;
}

/* The books of lost time: since the last lease ended, or since its work did. */
static void see_entering(struct arbiter *arbiter, struct arbiter_entity *entity)
{
	uint64_t at_ns = 0;

	for (const struct arbiter_engine *engine = entity->engines; engine; engine = engine->next)
		if (atomic_load(&engine->status->state) == LEASE_RUN)
			at_ns = arbiter_earlier_ns(at_ns, atomic_load_explicit(&engine->status->run_at_ns, memory_order_relaxed));
	if (!arbiter_is_running(entity))
		return;
	entity->entered = true;
	/* An engine's word, but within what can be: it may lie only about a switch's length. */
	if (at_ns > entity->lease_since_ns && at_ns - entity->lease_since_ns < arbiter->settings.overrun_grace_ns &&
	    (arbiter_word(entity) & LEASE_CONTENDED))
		arbiter->totals.lost_ns += at_ns - entity->lease_since_ns;
}

/* What runs counts as a lease until it ends. */
static void take_on(struct arbiter_entity *entity, uint64_t now_ns)
{
	run_queue_adopt(entity->arbiter->queue, entity->policy, now_ns);
	entity->is_leasing = true;
	entity->entered = true;
	entity->lease_since_ns = atomic_load(&entity->grant->granted_at_ns);
	if (!entity->lease_since_ns) {
		entity->lease_since_ns = now_ns;
		atomic_store(&entity->grant->granted_at_ns, now_ns);
	}
	entity->watched_ns = now_ns;
}

/* Tells the run queue what the pages say: what was used, and who wants. */
static void look(struct arbiter *arbiter, uint64_t now_ns)
{
	for (size_t i = 0; i < arbiter->count; i++) {
		struct arbiter_entity *entity = arbiter->entities[i];
		if (!entity->is_leasing)
			continue;
		if (!entity->entered)
			see_entering(arbiter, entity);
		arbiter_charge(entity, now_ns);
		arbiter_watch(entity, now_ns);
	}
	for (size_t i = 0; i < arbiter->count; i++) {
		struct arbiter_entity *entity = arbiter->entities[i];
		/* Frozen, and all its engines have died meanwhile: nothing to go on with. */
		if (atomic_load(&entity->grant->frozen) == LEASE_FROZEN_AT_END && !entity->engines) {
			atomic_store(&entity->grant->word, lease_word(lease_word_epoch(arbiter_word(entity)) + 1, 0));
			arbiter_thaw(entity, now_ns);
		}
		/* Under a grant that is over: most often it is about to see that it came too late, else it has a lease that is not its own. */
		if (!entity->is_leasing && !arbiter_is_frozen(entity) && arbiter_is_running(entity))
			take_on(entity, now_ns);
		bool is_wanted = wants(entity);
		if (is_wanted && !entity->wanted && !entity->is_leasing)
			arbiter_note(entity, TRACE_WANT, 0, arbiter_kernel_id(entity), now_ns);
		entity->wanted = is_wanted;
		if (is_wanted)
			run_queue_wake(arbiter->queue, entity->policy, arbiter_kernel_id(entity), now_ns);
		else
			run_queue_sleep(arbiter->queue, entity->policy, now_ns);
	}
}

/* Grants what is free. */
static uint64_t grant_all(struct arbiter *arbiter, uint64_t now_ns)
{
	uint64_t next_ns = 0;
	struct turn turn;

	while (run_queue_pick(arbiter->queue, now_ns, &turn)) {
		struct arbiter_entity *entity = run_queue_owner(turn.entity);
		if (!arbiter_is_frozen(entity))
			arbiter_cpu_unleased(entity, now_ns);
		else if (entity->squats)	/* whether it goes on is asked of its lease, not of the time it stood */
			arbiter_cpu_covered(entity, now_ns);
		arbiter_grant(entity, turn.deadline_ns, now_ns);
		next_ns = arbiter_earlier_ns(next_ns, turn.deadline_ns ? turn.deadline_ns : now_ns + ARBITER_FOLD_NS);
		next_ns = arbiter_earlier_ns(next_ns, arbiter_hang_at_ns(entity, now_ns));
		if (entity->squats)
			next_ns = arbiter_earlier_ns(next_ns, now_ns + ARBITER_LOOK_NS / 8);
	}
	return next_ns;
}

/* Looks at the processor time of those without a lease, while others want theirs. */
static uint64_t look_at_squatters(struct arbiter *arbiter, uint64_t now_ns)
{
	uint64_t next_ns = 0;
	size_t active = 0;

	if (!arbiter->settings.processors)
		return 0;
	for (size_t i = 0; i < arbiter->count; i++)
		active += arbiter->entities[i]->is_leasing || arbiter->entities[i]->wanted;
	for (size_t i = 0; i < arbiter->count; i++) {
		struct arbiter_entity *entity = arbiter->entities[i];
		bool others = active > (size_t)(entity->is_leasing || entity->wanted);
		next_ns = arbiter_earlier_ns(next_ns, arbiter_squat_look(entity, others, now_ns));
	}
	return next_ns;
}

/* All whose word is granted, or all others. How many leases are over now. */
static size_t step_all(struct arbiter *arbiter, bool granted, uint64_t now_ns, uint64_t *next_ns)
{
	size_t freed = 0;

	for (size_t i = 0; i < arbiter->count; i++) {
		struct arbiter_entity *entity = arbiter->entities[i];
		if (!entity->is_leasing || arbiter_is_granted(entity) != granted)
			continue;
		*next_ns = arbiter_earlier_ns(*next_ns, arbiter_step(entity, now_ns));
		freed += !entity->is_leasing;
	}
	return freed;
}

uint64_t arbiter_run(struct arbiter *arbiter, uint64_t now_ns)
{
	uint64_t next_ns = 0, freed = 0;

	if (arbiter->hold)	/* who is not heard yet cannot be judged */
		return 0;
	arbiter_mark(arbiter, now_ns);
	look(arbiter, now_ns);
	/* First those taken back: who holds is asked for its deadline when it is known who waits. */
	freed += step_all(arbiter, false, now_ns, &next_ns);
	freed += step_all(arbiter, true, now_ns, &next_ns);
	now_ns = arbiter_clock_ns(arbiter, now_ns);	/* stopping somebody takes its time, which is his */
	next_ns = arbiter_earlier_ns(next_ns, grant_all(arbiter, now_ns));
	uint64_t granted_ns = arbiter_clock_ns(arbiter, now_ns);
	if (freed && run_queue_somebody_waits(arbiter->queue))
		arbiter->totals.lost_ns += granted_ns - now_ns;
	for (size_t i = 0; i < arbiter->count; i++)
		arbiter_settle_books(arbiter->entities[i], granted_ns);
	uint64_t squat_ns = look_at_squatters(arbiter, granted_ns);
	arbiter_mark(arbiter, granted_ns);
	arbiter->somebody_waits = run_queue_somebody_waits(arbiter->queue);
	arbiter->is_lease_free = arbiter->somebody_waits && run_queue_has_free_lease(arbiter->queue);
	now_ns = granted_ns;
	next_ns = arbiter_earlier_ns(next_ns, squat_ns);
	return arbiter_earlier_ns(next_ns, run_queue_next_ns(arbiter->queue, now_ns));
}

/* ---- members -------------------------------------------------------------------------------------- */

/* A lease that stands, or was taken back and is not known to be over, goes on; who was stopped stays so, and who was not is not. */
static void adopt(struct arbiter_entity *entity, uint64_t now_ns)
{
	const struct arbiter *arbiter = entity->arbiter;

	entity->squats = atomic_load(&entity->grant->frozen) == LEASE_FROZEN_WITHOUT;
	if (arbiter_is_frozen(entity)) {
		enum lease_frozen how = (enum lease_frozen)atomic_load(&entity->grant->frozen);
		atomic_store(&entity->grant->granted_at_ns, 0);
		if (!arbiter_freeze(entity, how, now_ns))
			return;
		/* It cannot be stopped any more: what it has is a lease, and ends as those do. */
		entity->squats = false;
		atomic_store(&entity->grant->frozen, LEASE_THAWED);
	} else if (arbiter->ops->freeze) {
		arbiter->ops->freeze(entity->owner, FREEZE_NOTHING, arbiter->data);
	}
	if (!atomic_load(&entity->grant->granted_at_ns) && !arbiter_is_granted(entity))
		return;
	take_on(entity, now_ns);
	/* The arbiter before may have died between the word and the wake-up. */
	if (arbiter_is_granted(entity))
		arbiter->ops->wake(entity->grant, arbiter->data);
}

int arbiter_keep(struct arbiter_entity *entity, struct entity_record records[2], uint64_t now_ns, char ret_why[ADMISSION_WHY_BYTES])
{
	const struct entity_record *record = entity_record_load(records);
	struct run_queue *queue = entity->arbiter->queue;
	struct entity *restored;
	int error = 0;

	if (record) {
		error = run_queue_restore(queue, record, entity, now_ns, &restored, ret_why);
		if (!error) {
			run_queue_remove(queue, entity->policy, now_ns);
			entity->policy = restored;
			if (entity->is_leasing)
				run_queue_adopt(queue, restored, now_ns);
		}
	}
	entity->records = records;
	return error;
}

struct arbiter_entity *arbiter_add(struct arbiter *arbiter, struct lease_grant *grant, void *owner, uint64_t now_ns)
{
	struct arbiter_entity *entity;

	if (grant->magic != LEASE_MAGIC || grant->version != LEASE_VERSION)
		return NULL;
	if (arbiter->count == arbiter->capacity) {
		size_t capacity = arbiter->capacity ? arbiter->capacity * 2 : 8;
		void *grown = reallocarray(arbiter->entities, capacity, sizeof(*arbiter->entities));
		if (!grown)
			return NULL;
		arbiter->entities = grown;
		arbiter->capacity = capacity;
	}
	entity = calloc(1, sizeof(*entity));
	if (!entity)
		return NULL;
	entity->arbiter = arbiter;
	entity->grant = grant;
	entity->owner = owner;
	entity->charged_ns = atomic_load(&grant->used_ns);
	entity->is_settled = true;
	struct entity_settings settings = entity_defaults();
	char why[ADMISSION_WHY_BYTES];
	if (run_queue_add(arbiter->queue, &settings, entity, now_ns, &entity->policy, why)) {
		free(entity);
		return NULL;
	}
	adopt(entity, now_ns);
	/* More grants than leases cannot come of our own doing; should pages say so, the later one is ended. */
	size_t holding = 0;
	for (size_t i = 0; i < arbiter->count; i++)
		holding += arbiter_is_holding(arbiter->entities[i]);
	if (arbiter_is_holding(entity) && holding >= run_queue_settings(arbiter->queue)->leases)
		arbiter_take_back(entity, now_ns);
	arbiter->entities[arbiter->count++] = entity;
	return entity;
}

void arbiter_remove(struct arbiter *arbiter, struct arbiter_entity *entity, uint64_t now_ns)
{
	if (!entity)
		return;
	arbiter_thaw(entity, now_ns);
	if (arbiter_is_granted(entity))
		arbiter_take_back(entity, now_ns);
	if (entity->is_leasing)
		arbiter_close_books(entity, false, now_ns);
	arbiter_settle_books(entity, now_ns);
	if (arbiter->last == entity)
		arbiter->last = NULL;
	for (size_t i = 0; i < arbiter->count; i++) {
		if (arbiter->entities[i] != entity)
			continue;
		for (size_t k = i + 1; k < arbiter->count; k++)
			arbiter->entities[k - 1] = arbiter->entities[k];
		arbiter->count--;
		break;
	}
	run_queue_remove(arbiter->queue, entity->policy, now_ns);
	entity_destroy(entity);
}

struct arbiter_engine *arbiter_engine_add(struct arbiter_entity *entity, const struct lease_status *status, void *owner)
{
	struct arbiter_engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return NULL;
	engine->status = status;
	engine->owner = owner;
	entity->cannot_freeze = false;
	/* A new engine's count begins now; that of one heard again after a restart goes on from the base in the page. */
	if (!entity->arbiter->hold)
		atomic_store(&entity->grant->busy_base_ns, atomic_load(&entity->grant->busy_base_ns) +
							   atomic_load_explicit(&status->busy_ns, memory_order_relaxed));
	engine->next = entity->engines;
	entity->engines = engine;
	return engine;
}

void arbiter_engine_remove(struct arbiter_entity *entity, struct arbiter_engine *engine, uint64_t now_ns)
{
	if (!engine)
		return;
	if (entity->is_leasing && arbiter_is_granted(entity))
		arbiter_fold(entity, now_ns);
	for (struct arbiter_engine **at = &entity->engines; *at; at = &(*at)->next) {
		if (*at != engine)
			continue;
		*at = engine->next;
		free(engine);
		arbiter_mark_busy(entity);
		return;
	}
}

void arbiter_usage(const struct arbiter_entity *entity, uint64_t now_ns, struct arbiter_usage *ret_usage)
{
	*ret_usage = (struct arbiter_usage){
		.gpu_time_ns = atomic_load(&entity->grant->used_ns) + arbiter_unbooked_ns(entity, now_ns),
		.grants = atomic_load(&entity->grant->grants),
		.overruns = atomic_load(&entity->grant->overruns),
		.unleased_ns = entity->unleased_ns,
		.hangs = entity->hangs,
		.holds = arbiter_is_holding(entity),
		.frozen = arbiter_is_frozen(entity),
	};
}

int arbiter_edit(struct arbiter_entity *entity, const struct entity_settings *settings, uint64_t now_ns, char ret_why[ADMISSION_WHY_BYTES])
{
	int error = run_queue_edit(entity->arbiter->queue, entity->policy, settings, now_ns, ret_why);

	if (!error)
		arbiter_keep_record(entity, now_ns);
	return error;
}

int arbiter_configure(struct arbiter *arbiter, const struct run_queue_settings *settings, uint64_t now_ns, char ret_why[ADMISSION_WHY_BYTES])
{
	return run_queue_configure(arbiter->queue, settings, now_ns, ret_why);
}

void arbiter_set_hang_timeout(struct arbiter_entity *entity, uint64_t timeout_ns)
{
	entity->hang_timeout_ns = timeout_ns && timeout_ns < ARBITER_HANG_MIN_NS ? ARBITER_HANG_MIN_NS : timeout_ns;
}

void arbiter_totals(const struct arbiter *arbiter, struct arbiter_totals *ret_totals)
{
	*ret_totals = arbiter->totals;
}

const struct entity_settings *arbiter_entity_settings(const struct arbiter_entity *entity)
{
	return run_queue_entity_settings(entity->policy);
}

const struct run_queue_settings *arbiter_queue_settings(const struct arbiter *arbiter)
{
	return run_queue_settings(arbiter->queue);
}
