/* SPDX-License-Identifier: MIT */
/* Carries the run queue's decisions to the lease pages; arbiter.h has the theory. */
#include "scheduler/arbiter.h"

#include <stdlib.h>

struct arbiter_engine {
	const struct lease_status *status;
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
	bool wants;			/* as last noted */
	uint64_t noted_grant_ns;
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
};

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

/* ---- what the pages say ------------------------------------------------------------------------ */

static uint64_t word_of(const struct arbiter_entity *entity)
{
	return atomic_load(&entity->grant->word);
}

static bool is_granted(const struct arbiter_entity *entity)
{
	return word_of(entity) & LEASE_GRANTED;
}

/* An engine may be on the device: under the grant that stands, or under the one taken back last. A RUN with any other
 * epoch is of an engine about to see that it came too late (lease.c, enter). seq_cst: the Dekker pair of lease.h. */
static bool is_running(const struct arbiter_entity *entity)
{
	uint64_t word = word_of(entity);
	uint32_t epoch = lease_word_epoch(word) - ((word & LEASE_GRANTED) ? 0 : 1);

	for (const struct arbiter_engine *engine = entity->engines; engine; engine = engine->next)
		if (atomic_load(&engine->status->state) == LEASE_RUN && atomic_load(&engine->status->run_epoch) == epoch)
			return true;
	return false;
}

static bool is_wanting(const struct arbiter_entity *entity)
{
	for (const struct arbiter_engine *engine = entity->engines; engine; engine = engine->next)
		if (atomic_load(&engine->status->state) == LEASE_WANT)
			return true;
	return false;
}

/* ---- the books --------------------------------------------------------------------------------- */

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

static void mark_busy(struct arbiter_entity *entity)
{
	atomic_store(&entity->grant->busy_base_ns, busy_sum_ns(entity));
}

static uint64_t unbooked_ns(const struct arbiter_entity *entity, uint64_t now_ns)
{
	uint64_t wall_ns = elapsed_ns(atomic_load(&entity->grant->granted_at_ns), now_ns);
	uint64_t word = word_of(entity);

	if ((word & LEASE_GRANTED) && !(word & LEASE_CONTENDED))
		return busy_since_fold_ns(entity, wall_ns);
	return wall_ns;
}

/* Books what was used up to now; the grant, if it stands, goes on being counted from now. */
static void fold(struct arbiter_entity *entity, uint64_t now_ns)
{
	struct lease_grant *grant = entity->grant;

	atomic_store(&grant->used_ns, atomic_load(&grant->used_ns) + unbooked_ns(entity, now_ns));
	atomic_store(&grant->granted_at_ns, now_ns);
	mark_busy(entity);
}

/* Tells the run queue what was used since it was last told. */
static void charge(struct arbiter_entity *entity, uint64_t now_ns)
{
	uint64_t used_ns = atomic_load(&entity->grant->used_ns) + unbooked_ns(entity, now_ns);

	if (used_ns <= entity->charged_ns)	/* an engine's own count went back: a lie, and no refund */
		return;
	run_queue_charge(entity->arbiter->queue, entity->policy, used_ns - entity->charged_ns, now_ns);
	entity->charged_ns = used_ns;
}

static void keep(const struct arbiter_entity *entity, uint64_t now_ns)
{
	struct entity_record record;

	if (!entity->records)
		return;
	run_queue_export(entity->arbiter->queue, entity->policy, now_ns, &record);
	entity_record_save(entity->records, &record);
}

static void note(const struct arbiter_entity *entity, enum trace_kind kind, uint64_t value, uint64_t now_ns);

static void close_books(struct arbiter_entity *entity, uint64_t now_ns)
{
	fold(entity, now_ns);
	charge(entity, now_ns);
	run_queue_release(entity->arbiter->queue, entity->policy, is_wanting(entity), 0, now_ns);
	atomic_store(&entity->grant->granted_at_ns, 0);
	entity->due_ns = 0;
	entity->overrun_said = false;
	note(entity, TRACE_RELEASE, elapsed_ns(entity->noted_grant_ns, now_ns), now_ns);
	keep(entity, now_ns);
}

static void note(const struct arbiter_entity *entity, enum trace_kind kind, uint64_t value, uint64_t now_ns)
{
	const struct arbiter *arbiter = entity->arbiter;

	if (arbiter->ops->note)
		arbiter->ops->note(entity->owner, kind, value, 0, now_ns, arbiter->data);
}

/* ---- the moves ---------------------------------------------------------------------------------- */

static void set_flags(struct arbiter_entity *entity, uint32_t flags)
{
	atomic_store(&entity->grant->word, lease_word(lease_word_epoch(word_of(entity)), flags));
}

/* deadline_ns 0 = an open lease. */
static void grant_to(struct arbiter *arbiter, struct arbiter_entity *entity, uint64_t deadline_ns, uint64_t now_ns)
{
	struct lease_grant *grant = entity->grant;

	mark_busy(entity);
	entity->due_ns = 0;
	entity->overrun_said = false;
	note(entity, TRACE_GRANT, deadline_ns, now_ns);
	entity->noted_grant_ns = now_ns;
	atomic_store(&grant->granted_at_ns, now_ns);
	atomic_store(&grant->grants, atomic_load(&grant->grants) + 1);
	atomic_store(&grant->deadline_ns, deadline_ns);
	atomic_store(&grant->word, lease_word(lease_word_epoch(word_of(entity)) + 1,
					      LEASE_GRANTED | (deadline_ns ? LEASE_CONTENDED : 0)));
	arbiter->ops->wake(grant, arbiter->data);
}

static void take_back(struct arbiter_entity *entity, uint64_t now_ns)
{
	/* What an open lease used is booked by its engines' word, while the word still says that it is open. */
	if (!(word_of(entity) & LEASE_CONTENDED))
		fold(entity, now_ns);
	if (!entity->due_ns)
		entity->due_ns = now_ns;
	atomic_store(&entity->grant->word, lease_word(lease_word_epoch(word_of(entity)) + 1, 0));
}

/* Waits for an engine that was asked to end: when to look again. */
static uint64_t await_release(struct arbiter *arbiter, struct arbiter_entity *entity, uint64_t now_ns)
{
	struct lease_grant *grant = entity->grant;

	if (!entity->due_ns)	/* taken back by an arbiter before this one */
		entity->due_ns = now_ns;
	uint64_t late_ns = entity->due_ns + arbiter->settings.overrun_grace_ns;
	if (entity->overrun_said)
		return 0;
	if (now_ns < late_ns)
		return late_ns;
	entity->overrun_said = true;
	atomic_store(&grant->overruns, atomic_load(&grant->overruns) + 1);
	note(entity, TRACE_OVERRUN, elapsed_ns(entity->due_ns, now_ns), now_ns);
	if (arbiter->ops->overrun)
		arbiter->ops->overrun(entity->owner, elapsed_ns(atomic_load(&grant->granted_at_ns), now_ns), arbiter->data);
	return 0;
}

/*
 * Moves a holder on. Returns true when it holds no more (its word was taken back); else *ret_next_ns is when to look
 * again.
 */
static bool holder_step(struct arbiter *arbiter, struct arbiter_entity *holder, uint64_t now_ns, uint64_t *ret_next_ns)
{
	uint32_t flags = lease_word_flags(word_of(holder));
	uint64_t deadline_ns = run_queue_deadline(arbiter->queue, holder->policy, now_ns);

	if (!(flags & LEASE_REVOKE) && !deadline_ns) {
		if (flags & LEASE_CONTENDED) {	/* who waited is gone: open it again */
			fold(holder, now_ns);
			atomic_store(&holder->grant->deadline_ns, 0);
			set_flags(holder, LEASE_GRANTED);
		} else if (now_ns >= atomic_load(&holder->grant->granted_at_ns) + ARBITER_FOLD_NS) {
			fold(holder, now_ns);
		}
		*ret_next_ns = holder->engines ? atomic_load(&holder->grant->granted_at_ns) + ARBITER_FOLD_NS : 0;
		return false;
	}
	if (!(flags & LEASE_CONTENDED)) {
		if (!is_running(holder) && !is_wanting(holder)) {
			take_back(holder, now_ns);
			return true;
		}
		fold(holder, now_ns);
		atomic_store(&holder->grant->deadline_ns, deadline_ns ? deadline_ns : now_ns);
		flags |= LEASE_CONTENDED;
		set_flags(holder, flags);
		/* An engine that went idle before it could see CONTENDED told nobody: its state is read again below. */
	}
	/* Once revoked it stays so; before, the deadline is what the run queue says now. */
	if (flags & LEASE_REVOKE)
		deadline_ns = atomic_load(&holder->grant->deadline_ns);
	else if (deadline_ns != atomic_load(&holder->grant->deadline_ns))
		atomic_store(&holder->grant->deadline_ns, deadline_ns);
	if (!(flags & LEASE_REVOKE) && now_ns >= deadline_ns) {
		flags |= LEASE_REVOKE;
		holder->due_ns = deadline_ns;
		set_flags(holder, flags);
	}
	if (!is_running(holder) && ((flags & LEASE_REVOKE) || !is_wanting(holder))) {
		take_back(holder, now_ns);
		return true;
	}
	*ret_next_ns = (flags & LEASE_REVOKE) ? await_release(arbiter, holder, now_ns) : deadline_ns;
	return false;
}

/* Tells the run queue what the pages say: what was used, and who wants. */
static void look(struct arbiter *arbiter, uint64_t now_ns)
{
	for (size_t i = 0; i < arbiter->count; i++)
		if (atomic_load(&arbiter->entities[i]->grant->granted_at_ns))
			charge(arbiter->entities[i], now_ns);
	for (size_t i = 0; i < arbiter->count; i++) {
		struct arbiter_entity *entity = arbiter->entities[i];
		bool wants = is_wanting(entity) || is_running(entity);
		if (wants && !entity->wants)
			note(entity, TRACE_WANT, 0, now_ns);
		entity->wants = wants;
		if (wants)
			run_queue_wake(arbiter->queue, entity->policy, 0, now_ns);
		else
			run_queue_sleep(arbiter->queue, entity->policy, now_ns);
	}
}

static uint64_t earlier_ns(uint64_t a_ns, uint64_t b_ns)
{
	return !a_ns || (b_ns && b_ns < a_ns) ? b_ns : a_ns;
}

uint64_t arbiter_run(struct arbiter *arbiter, uint64_t now_ns)
{
	uint64_t next_ns = 0;
	bool free_to_grant = true;
	struct turn turn;

	look(arbiter, now_ns);
	for (size_t i = 0; i < arbiter->count; i++) {
		struct arbiter_entity *entity = arbiter->entities[i];
		uint64_t at_ns = 0;

		if (is_granted(entity) && !holder_step(arbiter, entity, now_ns, &at_ns)) {
			free_to_grant = false;
		} else if (is_running(entity)) {
			at_ns = await_release(arbiter, entity, now_ns);
			free_to_grant = false;
		} else if (atomic_load(&entity->grant->granted_at_ns)) {
			close_books(entity, now_ns);
		}
		next_ns = earlier_ns(next_ns, at_ns);
	}
	if (free_to_grant && !arbiter->hold && run_queue_pick(arbiter->queue, now_ns, &turn)) {
		grant_to(arbiter, run_queue_owner(turn.entity), turn.deadline_ns, now_ns);
		next_ns = turn.deadline_ns ? turn.deadline_ns : now_ns + ARBITER_FOLD_NS;
	}
	return earlier_ns(next_ns, run_queue_next_ns(arbiter->queue, now_ns));
}

/* ---- members -------------------------------------------------------------------------------------- */

/* A lease that stands, or was taken back and is not known to be over, goes on. */
static void adopt(struct arbiter_entity *entity, uint64_t now_ns)
{
	if (atomic_load(&entity->grant->granted_at_ns) || is_granted(entity))
		run_queue_adopt(entity->arbiter->queue, entity->policy, now_ns);
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
			adopt(entity, now_ns);
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
	struct entity_settings settings = entity_defaults();
	char why[ADMISSION_WHY_BYTES];
	if (run_queue_add(arbiter->queue, &settings, entity, now_ns, &entity->policy, why)) {
		free(entity);
		return NULL;
	}
	adopt(entity, now_ns);
	uint64_t word = word_of(entity);
	/* Two grants at once cannot come of our own doing; should pages say so, the later one is ended. */
	for (size_t i = 0; i < arbiter->count && (word & LEASE_GRANTED); i++) {
		if (!is_granted(arbiter->entities[i]))
			continue;
		take_back(entity, now_ns);
		break;
	}
	arbiter->entities[arbiter->count++] = entity;
	return entity;
}

void arbiter_remove(struct arbiter *arbiter, struct arbiter_entity *entity, uint64_t now_ns)
{
	if (!entity)
		return;
	if (is_granted(entity))
		take_back(entity, now_ns);
	if (atomic_load(&entity->grant->granted_at_ns))
		close_books(entity, now_ns);
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

struct arbiter_engine *arbiter_engine_add(struct arbiter_entity *entity, const struct lease_status *status)
{
	struct arbiter_engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return NULL;
	engine->status = status;
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
	if (is_granted(entity))
		fold(entity, now_ns);
	for (struct arbiter_engine **at = &entity->engines; *at; at = &(*at)->next) {
		if (*at != engine)
			continue;
		*at = engine->next;
		free(engine);
		mark_busy(entity);
		return;
	}
}

void arbiter_usage(const struct arbiter_entity *entity, uint64_t now_ns, struct arbiter_usage *ret_usage)
{
	*ret_usage = (struct arbiter_usage){
		.gpu_time_ns = atomic_load(&entity->grant->used_ns) + unbooked_ns(entity, now_ns),
		.grants = atomic_load(&entity->grant->grants),
		.overruns = atomic_load(&entity->grant->overruns),
		.holds = is_granted(entity),
	};
}

int arbiter_edit(struct arbiter_entity *entity, const struct entity_settings *settings, uint64_t now_ns, char ret_why[ADMISSION_WHY_BYTES])
{
	int error = run_queue_edit(entity->arbiter->queue, entity->policy, settings, now_ns, ret_why);

	if (!error)
		keep(entity, now_ns);
	return error;
}

int arbiter_configure(struct arbiter *arbiter, const struct run_queue_settings *settings, uint64_t now_ns, char ret_why[ADMISSION_WHY_BYTES])
{
	struct run_queue_settings own = *settings;

	own.leases = 1;
	return run_queue_configure(arbiter->queue, &own, now_ns, ret_why);
}

const struct entity_settings *arbiter_entity_settings(const struct arbiter_entity *entity)
{
	return run_queue_entity_settings(entity->policy);
}

const struct run_queue_settings *arbiter_queue_settings(const struct arbiter *arbiter)
{
	return run_queue_settings(arbiter->queue);
}
