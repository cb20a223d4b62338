/* SPDX-License-Identifier: MIT */
/* A scheduling rule under simulation: ours, or a rival's. vGPUs are numbers, 0 to the scenario's member_count - 1. */
#ifndef VGPU_SCHEDULER_SIM_RULE_H
#define VGPU_SCHEDULER_SIM_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "scheduler/sim/scenario.h"

#define RULE_NOBODY UINT32_MAX

struct rule_ops {
	const char *name;
	/* The new rule, or NULL without memory or with a sentence in ret_why. Borrows the scenario. */
	void *(*create)(const struct scenario *scenario, char ret_why[ADMISSION_WHY_BYTES]);
	void (*destroy)(void *rule);
	void (*wake)(void *rule, uint32_t member, uint64_t kernel_id, uint64_t now_ns);
	/* Who has a lease from now on, and until when (0 = open); RULE_NOBODY. */
	uint32_t (*pick)(void *rule, uint64_t now_ns, uint64_t *ret_deadline_ns);
	uint64_t (*deadline)(void *rule, uint32_t member, uint64_t now_ns);
	/* NULL: always, before the deadline. */
	bool (*may_start)(void *rule, uint32_t member, uint64_t kernel_id, uint64_t now_ns);
	/* NULL: kernels run whole, whatever the scenario could do. */
	uint64_t (*chunk_ns)(void *rule, uint32_t member, uint64_t now_ns);
	void (*charge)(void *rule, uint32_t member, uint64_t used_ns, uint64_t now_ns);
	void (*release)(void *rule, uint32_t member, bool wants_more, uint64_t kernel_id, uint64_t now_ns);
	/* NULL: not wanted. */
	void (*observe)(void *rule, uint32_t member, uint64_t kernel_id, uint64_t took_ns);
	uint64_t (*next_ns)(void *rule, uint64_t now_ns);
	void (*edit)(void *rule, uint32_t member, const struct entity_settings *settings, uint64_t now_ns);
};

extern const struct rule_ops rule_vgpud;	/* scheduler/run_queue.h */
extern const struct rule_ops rule_round_robin;
extern const struct rule_ops rule_gvt;
extern const struct rule_ops rule_eevdf;
extern const struct rule_ops rule_drm_fair;

/* The queue behind a rule of rule_vgpud, and its entity: for tests. */
struct run_queue *rule_vgpud_queue(void *rule);
struct entity *rule_vgpud_entity(void *rule, uint32_t member);

#endif
