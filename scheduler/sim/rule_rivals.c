/* SPDX-License-Identifier: MIT */
/*
 * Rivals, as far as their rule decides who runs; each documented where it is defined. None of them splits or freezes kernels: what
 * is running runs to its end.
 *
 *   round robin  equal turns of one slice
 *   GVT-g        1 ms ticks; shares by weight are balanced over 100 ms; what was owed is forgotten every second; who has used up its
 *                part of 100 ms waits although the GPU is idle (i915's gvt/sched_policy.c)
 *   EEVDF        virtual deadlines, requests of one slice, lag of whoever leaves clamped to one slice either way
 *   DRM-fair     least virtual run time per entity first, one kernel at a time; who returns begins at the least (drm/scheduler)
 */
#include <stdlib.h>

#include "scheduler/sim/rule.h"

#define SLICE_NS 2000000u	/* round robin and EEVDF */
#define TICK_NS 1000000u	/* GVT-g */
#define BALANCE_NS 100000000u
#define FORGET_NS 1000000000u

enum rival_kind { RIVAL_ROUND_ROBIN, RIVAL_GVT, RIVAL_EEVDF, RIVAL_DRM_FAIR };

struct party {
	bool wants, holds;
	double weight;
	double vruntime;	/* EEVDF, DRM-fair */
	double deadline;	/* EEVDF: virtual */
	double lag;		/* EEVDF, while away */
	int64_t left_ns;	/* GVT-g: of its part of this balance period */
	uint64_t deadline_ns;	/* of what it holds; 0 = nobody waits */
};

struct rival {
	enum rival_kind kind;
	uint32_t count, holding, leases, last;
	uint64_t balanced_ns, forgot_ns;
	double total_weight;
	double min_vruntime;
	struct party parties[];
};

static void *create(const struct scenario *scenario, enum rival_kind kind)
{
	struct rival *rival = calloc(1, sizeof(*rival) + scenario->member_count * sizeof(rival->parties[0]));

	if (!rival)
		return NULL;
	rival->kind = kind;
	rival->count = (uint32_t)scenario->member_count;
	rival->leases = scenario->queue.leases;
	for (uint32_t i = 0; i < rival->count; i++) {
		rival->parties[i].weight = scenario->members[i].settings.weight / (double)ENTITY_WEIGHT;
		rival->total_weight += rival->parties[i].weight;
	}
	for (uint32_t i = 0; i < rival->count; i++)
		rival->parties[i].left_ns = (int64_t)(BALANCE_NS * rival->parties[i].weight / rival->total_weight);
	return rival;
}

/* ---- GVT-g -------------------------------------------------------------------------------------- */

static void balance(struct rival *rival, uint64_t now_ns)
{
	while (now_ns >= rival->balanced_ns + BALANCE_NS) {
		rival->balanced_ns += BALANCE_NS;
		bool forget = rival->balanced_ns >= rival->forgot_ns + FORGET_NS;
		if (forget)
			rival->forgot_ns = rival->balanced_ns;
		for (uint32_t i = 0; i < rival->count; i++) {
			struct party *party = &rival->parties[i];
			int64_t part_ns = (int64_t)(BALANCE_NS * party->weight / rival->total_weight) * rival->leases;
			party->left_ns = forget ? part_ns : party->left_ns + part_ns;
			if (party->left_ns > part_ns)
				party->left_ns = part_ns;
		}
	}
}

static bool is_allowed(const struct rival *rival, const struct party *party)
{
	return party->wants && !party->holds && (rival->kind != RIVAL_GVT || party->left_ns > 0);
}

static uint32_t pick_in_turn(const struct rival *rival)
{
	for (uint32_t i = 1; i <= rival->count; i++) {
		uint32_t at = (rival->last + i) % rival->count;
		if (is_allowed(rival, &rival->parties[at]))
			return at;
	}
	return RULE_NOBODY;
}

/* ---- virtual time -------------------------------------------------------------------------------- */

static double average(const struct rival *rival)
{
	double sum = 0, weight = 0;

	for (uint32_t i = 0; i < rival->count; i++) {
		if (!rival->parties[i].wants && !rival->parties[i].holds)
			continue;
		sum += rival->parties[i].vruntime * rival->parties[i].weight;
		weight += rival->parties[i].weight;
	}
	return weight > 0 ? sum / weight : rival->min_vruntime;
}

static void find_minimum(struct rival *rival)
{
	double least = -1;

	for (uint32_t i = 0; i < rival->count; i++)
		if ((rival->parties[i].wants || rival->parties[i].holds) && (least < 0 || rival->parties[i].vruntime < least))
			least = rival->parties[i].vruntime;
	if (least > rival->min_vruntime)
		rival->min_vruntime = least;
}

static uint32_t pick_by_deadline(const struct rival *rival)
{
	double mean = average(rival);
	uint32_t best = RULE_NOBODY, least = RULE_NOBODY;

	for (uint32_t i = 0; i < rival->count; i++) {
		const struct party *party = &rival->parties[i];
		if (!is_allowed(rival, party))
			continue;
		if (least == RULE_NOBODY || party->vruntime < rival->parties[least].vruntime)
			least = i;
		if (party->vruntime <= mean + 1e-3 && (best == RULE_NOBODY || party->deadline < rival->parties[best].deadline))
			best = i;
	}
	return best == RULE_NOBODY ? least : best;
}

static uint32_t pick_by_vruntime(const struct rival *rival)
{
	uint32_t best = RULE_NOBODY;

	for (uint32_t i = 0; i < rival->count; i++)
		if (is_allowed(rival, &rival->parties[i]) &&
		    (best == RULE_NOBODY || rival->parties[i].vruntime < rival->parties[best].vruntime))
			best = i;
	return best;
}

/* ---- the operations ------------------------------------------------------------------------------ */

static void wake(void *rule, uint32_t member, uint64_t kernel_id, uint64_t now_ns)
{
	struct rival *rival = rule;
	struct party *party = &rival->parties[member];

	(void)kernel_id;
	(void)now_ns;
	if (party->wants)
		return;
	if (rival->kind == RIVAL_EEVDF) {
		party->vruntime = average(rival) - party->lag / party->weight;
		party->deadline = party->vruntime + SLICE_NS / party->weight;
	} else if (rival->kind == RIVAL_DRM_FAIR && party->vruntime < rival->min_vruntime) {
		party->vruntime = rival->min_vruntime;
	}
	party->wants = true;
}

static bool others_want(const struct rival *rival, uint32_t member)
{
	for (uint32_t i = 0; i < rival->count; i++)
		if (i != member && rival->parties[i].wants && !rival->parties[i].holds)
			return true;
	return false;
}

static uint64_t length_ns(const struct rival *rival)
{
	/* DRM-fair chooses anew for each kernel. */
	return rival->kind == RIVAL_GVT ? TICK_NS : rival->kind == RIVAL_DRM_FAIR ? 1 : SLICE_NS;
}

static uint64_t deadline(void *rule, uint32_t member, uint64_t now_ns)
{
	struct rival *rival = rule;
	struct party *party = &rival->parties[member];

	if (!party->deadline_ns && (rival->kind == RIVAL_GVT || others_want(rival, member)))
		party->deadline_ns = now_ns + length_ns(rival);
	return party->deadline_ns;
}

static uint32_t pick(void *rule, uint64_t now_ns, uint64_t *ret_deadline_ns)
{
	struct rival *rival = rule;
	uint32_t best;

	if (rival->kind == RIVAL_GVT)
		balance(rival, now_ns);
	if (rival->holding >= rival->leases)
		return RULE_NOBODY;
	if (rival->kind == RIVAL_EEVDF)
		best = pick_by_deadline(rival);
	else if (rival->kind == RIVAL_DRM_FAIR)
		best = pick_by_vruntime(rival);
	else
		best = pick_in_turn(rival);
	if (best == RULE_NOBODY)
		return best;
	rival->last = best;
	rival->parties[best].holds = true;
	rival->holding++;
	rival->parties[best].deadline_ns = 0;
	*ret_deadline_ns = deadline(rule, best, now_ns);
	return best;
}

static void charge(void *rule, uint32_t member, uint64_t used_ns, uint64_t now_ns)
{
	struct rival *rival = rule;
	struct party *party = &rival->parties[member];

	if (rival->kind == RIVAL_GVT)
		balance(rival, now_ns);
	party->left_ns -= (int64_t)used_ns;
	party->vruntime += (double)used_ns / party->weight;
	find_minimum(rival);
}

static void release(void *rule, uint32_t member, bool wants_more, uint64_t kernel_id, uint64_t now_ns)
{
	struct rival *rival = rule;
	struct party *party = &rival->parties[member];

	(void)kernel_id;
	(void)now_ns;
	if (!wants_more && rival->kind == RIVAL_EEVDF) {
		party->lag = (average(rival) - party->vruntime) * party->weight;
		if (party->lag > SLICE_NS)
			party->lag = SLICE_NS;
		if (party->lag < -(double)SLICE_NS)
			party->lag = -(double)SLICE_NS;
	}
	if (party->vruntime >= party->deadline)
		party->deadline = party->vruntime + SLICE_NS / party->weight;
	party->wants = wants_more;
	party->holds = false;
	rival->holding--;
}

static uint64_t next_ns(void *rule, uint64_t now_ns)
{
	const struct rival *rival = rule;

	(void)now_ns;
	return rival->kind == RIVAL_GVT ? rival->balanced_ns + BALANCE_NS : 0;
}

static void edit(void *rule, uint32_t member, const struct entity_settings *settings, uint64_t now_ns)
{
	struct rival *rival = rule;
	double weight = settings->weight / (double)ENTITY_WEIGHT;

	(void)now_ns;
	rival->total_weight += weight - rival->parties[member].weight;
	rival->parties[member].weight = weight;
}

#define RIVAL(NAME, KIND, SAID)                                                                                             \
	static void *create_##NAME(const struct scenario *scenario, char ret_why[ADMISSION_WHY_BYTES])                      \
	{                                                                                                                   \
		(void)ret_why;                                                                                              \
		return create(scenario, KIND);                                                                              \
	}                                                                                                                   \
	const struct rule_ops rule_##NAME = {                                                                               \
		.name = SAID,                                                                                               \
		.create = create_##NAME,                                                                                    \
		.destroy = free,                                                                                            \
		.wake = wake,                                                                                               \
		.pick = pick,                                                                                               \
		.deadline = deadline,                                                                                       \
		.charge = charge,                                                                                           \
		.release = release,                                                                                         \
		.next_ns = next_ns,                                                                                         \
		.edit = edit,                                                                                               \
	};

RIVAL(round_robin, RIVAL_ROUND_ROBIN, "round robin")
RIVAL(gvt, RIVAL_GVT, "GVT-g style")
RIVAL(eevdf, RIVAL_EEVDF, "plain EEVDF (lag clamp)")
RIVAL(drm_fair, RIVAL_DRM_FAIR, "DRM-fair style")
