/* SPDX-License-Identifier: MIT */
/*
 * Processor time without a lease, where the parent is the processors themselves.
 *
 * The kernel counts what all processes of a vGPU use. What falls between its leases is charged, as so much of the parent as it was: a
 * processor of n is 1/n of it. A little is the way things work (parsing, polling, starting up). What goes on beyond ARBITER_SQUAT_NS, less a
 * 1/128 of a processor that is free, takes what belongs to others now, and a debt repays them only if it ever wants a lease. So the vGPU
 * is frozen, and waits for a lease like everybody; in its turn it may build, or whatever it does, until it stops by itself or its time is up.
 */
#include "scheduler/arbiter_parts.h"

#define FREE_PART 128u
#define AT_IT_PART 8u		/* of a processor: less is not "at it" any more */

static uint64_t cpu_delta_ns(struct arbiter_entity *entity, uint64_t now_ns, uint64_t *ret_elapsed_ns)
{
	const struct arbiter *arbiter = entity->arbiter;
	uint64_t before_ns = entity->cpu_ns;

	*ret_elapsed_ns = entity->cpu_at_ns && now_ns > entity->cpu_at_ns ? now_ns - entity->cpu_at_ns : 0;
	entity->cpu_ns = arbiter->ops->cpu_ns(entity->owner, arbiter->data);
	/* The first look, and a count that went back with the end of a process that was counted by itself. */
	uint64_t delta_ns = entity->cpu_at_ns && entity->cpu_ns > before_ns ? entity->cpu_ns - before_ns : 0;
	entity->cpu_at_ns = now_ns;
	return delta_ns;
}

static bool is_counted(const struct arbiter_entity *entity)
{
	return entity->arbiter->settings.processors && entity->arbiter->ops->cpu_ns;
}

void arbiter_cpu_covered(struct arbiter_entity *entity, uint64_t now_ns)
{
	uint64_t elapsed_ns;

	if (is_counted(entity))
		cpu_delta_ns(entity, now_ns, &elapsed_ns);
}

bool arbiter_cpu_unleased(struct arbiter_entity *entity, uint64_t now_ns)
{
	struct arbiter *arbiter = entity->arbiter;
	uint64_t elapsed_ns, delta_ns;

	if (!is_counted(entity))
		return false;
	delta_ns = cpu_delta_ns(entity, now_ns, &elapsed_ns);
	uint64_t free_ns = elapsed_ns / FREE_PART;
	entity->unleased_bucket_ns += delta_ns;
	entity->unleased_bucket_ns -= free_ns < entity->unleased_bucket_ns ? free_ns : entity->unleased_bucket_ns;
	entity->cpu_every_ns = delta_ns > free_ns ? ARBITER_LOOK_NS : 8 * ARBITER_LOOK_NS;
	entity->unleased_ns += delta_ns;
	if (delta_ns)
		run_queue_charge_unleased(arbiter->queue, entity->policy, delta_ns / arbiter->settings.processors, now_ns);
	return entity->unleased_bucket_ns > ARBITER_SQUAT_NS;
}

uint64_t arbiter_squat_look(struct arbiter_entity *entity, bool others, uint64_t now_ns)
{
	const struct arbiter *arbiter = entity->arbiter;

	/* Of nobody's concern while nobody else wants anything. */
	if (!is_counted(entity) || entity->is_leasing || arbiter_is_frozen(entity) || !others)
		return 0;
	if (entity->cpu_at_ns && now_ns < entity->cpu_at_ns + entity->cpu_every_ns)
		return entity->cpu_at_ns + entity->cpu_every_ns;
	bool too_much = arbiter_cpu_unleased(entity, now_ns);
	if (too_much && arbiter->settings.freezes && !entity->cannot_freeze && !arbiter_freeze(entity, LEASE_FROZEN_WITHOUT, now_ns)) {
		entity->squats = true;
		if (arbiter->ops->squat)
			arbiter->ops->squat(entity->owner, entity->unleased_bucket_ns, arbiter->data);
		arbiter_note(entity, TRACE_SQUAT, entity->unleased_bucket_ns, 0, now_ns);
		entity->unleased_bucket_ns = 0;
		run_queue_wake(arbiter->queue, entity->policy, 0, now_ns);
		/* It waits from now on, perhaps for the open lease of one that idles and has nothing to say. */
		return now_ns + 1;
	}
	return now_ns + entity->cpu_every_ns;
}

bool arbiter_squat_goes_on(struct arbiter_entity *entity, uint64_t now_ns)
{
	uint64_t elapsed_ns, delta_ns;

	if (!entity->squats)
		return false;
	if (!is_counted(entity)) {
		entity->squats = false;
	} else if (now_ns >= entity->cpu_at_ns + ARBITER_LOOK_NS / 8) {
		delta_ns = cpu_delta_ns(entity, now_ns, &elapsed_ns);
		entity->squats = delta_ns >= elapsed_ns / AT_IT_PART;
	}
	return entity->squats;
}
