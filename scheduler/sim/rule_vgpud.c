/* SPDX-License-Identifier: MIT */
/* Our own rule: passes everything on to the run queue. */
#include <stdlib.h>

#include "scheduler/sim/rule.h"

struct vgpud {
	struct run_queue *queue;
	struct entity **entities;
	size_t count;
};

static void destroy(void *rule)
{
	struct vgpud *vgpud = rule;

	if (!vgpud)
		return;
	run_queue_destroy(vgpud->queue);
	free(vgpud->entities);
	free(vgpud);
}

static void *create(const struct scenario *scenario, char ret_why[ADMISSION_WHY_BYTES])
{
	struct vgpud *vgpud = calloc(1, sizeof(*vgpud));

	if (!vgpud)
		return NULL;
	vgpud->count = scenario->member_count;
	vgpud->entities = calloc(scenario->member_count + 1, sizeof(*vgpud->entities));
	if (!vgpud->entities || run_queue_create(&scenario->queue, &vgpud->queue, ret_why))
		goto fail;
	for (size_t i = 0; i < scenario->member_count; i++)
		if (run_queue_add(vgpud->queue, &scenario->members[i].settings, (void *)(uintptr_t)i, 0, &vgpud->entities[i], ret_why))
			goto fail;
	return vgpud;
fail:
	destroy(vgpud);
	return NULL;
}

struct run_queue *rule_vgpud_queue(void *rule)
{
	return ((struct vgpud *)rule)->queue;
}

struct entity *rule_vgpud_entity(void *rule, uint32_t member)
{
	return ((struct vgpud *)rule)->entities[member];
}

static void wake(void *rule, uint32_t member, uint64_t kernel_id, uint64_t now_ns)
{
	run_queue_wake(rule_vgpud_queue(rule), rule_vgpud_entity(rule, member), kernel_id, now_ns);
}

static uint32_t pick(void *rule, uint64_t now_ns, uint64_t *ret_deadline_ns)
{
	struct turn turn;

	if (!run_queue_pick(rule_vgpud_queue(rule), now_ns, &turn))
		return RULE_NOBODY;
	*ret_deadline_ns = turn.deadline_ns;
	return (uint32_t)(uintptr_t)run_queue_owner(turn.entity);
}

static uint64_t deadline(void *rule, uint32_t member, uint64_t now_ns)
{
	return run_queue_deadline(rule_vgpud_queue(rule), rule_vgpud_entity(rule, member), now_ns);
}

static bool may_start(void *rule, uint32_t member, uint64_t kernel_id, uint64_t now_ns)
{
	return run_queue_may_start(rule_vgpud_queue(rule), rule_vgpud_entity(rule, member), kernel_id, now_ns);
}

static uint64_t chunk_ns(void *rule, uint32_t member, uint64_t now_ns)
{
	return run_queue_chunk_ns(rule_vgpud_queue(rule), rule_vgpud_entity(rule, member), now_ns);
}

static void charge(void *rule, uint32_t member, uint64_t used_ns, uint64_t now_ns)
{
	run_queue_charge(rule_vgpud_queue(rule), rule_vgpud_entity(rule, member), used_ns, now_ns);
}

static void release(void *rule, uint32_t member, bool wants_more, uint64_t kernel_id, uint64_t now_ns)
{
	run_queue_release(rule_vgpud_queue(rule), rule_vgpud_entity(rule, member), wants_more, kernel_id, now_ns);
}

static void observe(void *rule, uint32_t member, uint64_t kernel_id, uint64_t took_ns)
{
	run_queue_observe(rule_vgpud_queue(rule), rule_vgpud_entity(rule, member), kernel_id, took_ns);
}

static uint64_t next_ns(void *rule, uint64_t now_ns)
{
	return run_queue_next_ns(rule_vgpud_queue(rule), now_ns);
}

static void edit(void *rule, uint32_t member, const struct entity_settings *settings, uint64_t now_ns)
{
	char why[ADMISSION_WHY_BYTES];

	run_queue_edit(rule_vgpud_queue(rule), rule_vgpud_entity(rule, member), settings, now_ns, why);
}

const struct rule_ops rule_vgpud = {
	.name = "vgpud",
	.create = create,
	.destroy = destroy,
	.wake = wake,
	.pick = pick,
	.deadline = deadline,
	.may_start = may_start,
	.chunk_ns = chunk_ns,
	.charge = charge,
	.release = release,
	.observe = observe,
	.next_ns = next_ns,
	.edit = edit,
};
