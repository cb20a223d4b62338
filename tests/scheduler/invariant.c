/* SPDX-License-Identifier: MIT */
#include "tests/scheduler/invariant.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/run_queue_parts.h"
#include "scheduler/sim/fluid.h"

#define ROUNDING_NS 2000	/* of thousands of exact charges and one division each */

struct check {
	const struct scenario *scenario;
	enum random_kind kind;
	struct fluid *fluid;	/* of charged time: only in static scenarios */
	struct invariant_worst *worst;
	char *why;
	bool failed;
	double cap_least_ns[RANDOM_MEMBERS_MAX];	/* of used - cap * t so far */
	uint64_t waiting_since_ns[RANDOM_MEMBERS_MAX];
	uint64_t piece_ns[RANDOM_MEMBERS_MAX];		/* C: the longest that cannot be stopped, with what a switch adds */
	uint64_t piece_most_ns, slice_most_ns;
};

static __attribute__((format(printf, 3, 4))) bool fail(struct check *check, uint64_t now_ns, const char *format, ...)
{
	va_list arguments;
	int length = snprintf(check->why, INVARIANT_WHY_BYTES, "at %.3f ms: ", (double)now_ns / 1e6);

	va_start(arguments, format);
	vsnprintf(check->why + length, INVARIANT_WHY_BYTES - (size_t)length, format, arguments);
	va_end(arguments);
	check->failed = true;
	return false;
}

static uint64_t piece_of(const struct scenario *scenario, const struct load *load)
{
	uint64_t kernel_ns = load->kernel.b_ns > load->kernel.a_ns ? load->kernel.b_ns : load->kernel.a_ns;
	uint64_t chunk_ns = scenario->queue.target_latency_ns + scenario->queue.chunk_ns / 8;

	if (!load->is_whole && scenario->preemption == PREEMPTION_FREEZE)
		kernel_ns = scenario->freeze_ns;
	else if (!load->is_whole && scenario->preemption == PREEMPTION_CHUNKS)
		kernel_ns = (kernel_ns < chunk_ns ? kernel_ns : chunk_ns) + scenario->chunk_cost_ns;
	return kernel_ns + scenario->switch_ns;
}

static void raise_to(double *worst, double value)
{
	if (value > *worst)
		*worst = value;
}

static bool check_conserving(struct check *check, const struct run_queue *queue, uint64_t now_ns)
{
	size_t holding = 0, waiting = 0;

	if (queue->settings.policy == POLICY_EQUAL_SHARE || queue->settings.policy == POLICY_FIXED_SHARE)
		return true;
	for (size_t i = 0; i < queue->count; i++) {
		const struct entity *entity = queue->entities[i];
		holding += entity->holds;
		waiting += entity->wants && !entity->holds && (entity->settings.cap_ppm == ENTITY_WHOLE_PPM || !entity->parked);
	}
	if (holding > queue->settings.leases)
		return fail(check, now_ns, "%zu hold one of %u leases", holding, queue->settings.leases);
	if (waiting && holding < queue->settings.leases)
		return fail(check, now_ns, "%zu wait, and %zu of %u leases are held", waiting, holding, queue->settings.leases);
	return true;
}

static bool check_sum(struct check *check, const struct run_queue *queue, uint64_t now_ns)
{
	int64_t lag_ns = 0, weight = 0;
	__int128 sum = 0;
	size_t present = 0, asleep = 0;

	for (size_t i = 0; i < queue->count; i++) {
		const struct entity *entity = queue->entities[i];
		if (!entity->in_set)
			continue;
		lag_ns += timeline_lag_ns(queue, entity);
		weight += entity->weight;
		sum += (__int128)entity->ve * entity->weight;
		present += entity->present;
		asleep += !entity->present;
	}
	if (weight != queue->set_weight || sum != queue->set_sum || present != queue->present_count || asleep != queue->asleep_count)
		return fail(check, now_ns, "the sums of the set are not those of its members");
	if (lag_ns < -ROUNDING_NS || lag_ns > ROUNDING_NS)
		return fail(check, now_ns, "what is owed and what is in debt differ by %lld ns", (long long)lag_ns);
	return true;
}

static bool check_lag(struct check *check, const struct run_queue *queue, const struct entity *entity, size_t i, uint64_t now_ns)
{
	double lag_ns = (double)timeline_lag_ns(queue, entity), slice_ns = (double)check->slice_most_ns;
	double debt_bound_ns = 1.25 * (slice_ns + (double)check->piece_ns[i]);
	/* A lease is a slice and what of its last piece goes beyond it. */
	double bound_ns = 2 * (slice_ns + (double)check->piece_most_ns);

	if (check->kind == RANDOM_ANY)
		return true;
	if (check->kind == RANDOM_SLEEPERS)	/* it may have come with what a wait before its last sleep left it */
		bound_ns = 3 * (check->piece_most_ns > check->slice_most_ns ? (double)check->piece_most_ns : slice_ns);
	raise_to(&check->worst->debt, -lag_ns / debt_bound_ns);
	raise_to(&check->worst->lag, lag_ns / bound_ns);
	if (-lag_ns > debt_bound_ns + ROUNDING_NS)
		return fail(check, now_ns, "%s is %.3f ms in debt, above 1.25 (q + C) = %.3f ms", check->scenario->members[i].name, -lag_ns / 1e6,
			    debt_bound_ns / 1e6);
	if (lag_ns > bound_ns + ROUNDING_NS)
		return fail(check, now_ns, "%s is owed %.3f ms, above its bound, %.3f ms", check->scenario->members[i].name, lag_ns / 1e6,
			    bound_ns / 1e6);
	return true;
}

static bool check_cap(struct check *check, const struct run_queue *queue, const struct entity *entity, size_t i, uint64_t now_ns)
{
	double cap = entity->cap_ppm / (double)ENTITY_WHOLE_PPM;
	double over_ns = (double)entity->used_ns - cap * (double)now_ns;
	double bound_ns = (double)(account_burst_ns(queue, entity) > entity->settings.burst_ns ? account_burst_ns(queue, entity) :
												  entity->settings.burst_ns);

	if (entity->cap_ppm == ENTITY_WHOLE_PPM)
		return true;
	bound_ns += (double)check->piece_ns[i];
	if (account_is_holding(queue))	/* its burst is two slices, and slices change */
		bound_ns = 2 * (double)check->slice_most_ns + (double)check->piece_ns[i];
	if (over_ns < check->cap_least_ns[i])
		check->cap_least_ns[i] = over_ns;
	raise_to(&check->worst->cap, (over_ns - check->cap_least_ns[i]) / bound_ns);
	if (over_ns - check->cap_least_ns[i] > bound_ns + ROUNDING_NS)
		return fail(check, now_ns, "%s is %.3f ms above its cap in some window, above burst + C = %.3f ms", check->scenario->members[i].name,
			    (over_ns - check->cap_least_ns[i]) / 1e6, bound_ns / 1e6);
	return true;
}

static bool check_reservation(struct check *check, const struct run_queue *queue, const struct entity *entity, size_t i, uint64_t now_ns)
{
	const struct member *member = &check->scenario->members[i];
	double promised = member->settings.reservation_ppm / (double)ENTITY_WHOLE_PPM;
	double slack_ns = (double)(queue->count + 2) * (double)(check->piece_most_ns + check->slice_most_ns);

	if (!member->settings.reservation_ppm || member->load.arrival != ARRIVAL_BACKLOGGED || account_is_holding(queue))
		return true;
	/* A cap that is as low as the reservation makes it wait for tokens. */
	slack_ns += (double)member->settings.burst_ns * (member->settings.cap_ppm < ENTITY_WHOLE_PPM);
	if ((double)entity->used_ns + slack_ns < promised * (double)(now_ns - member->load.begin_ns))
		return fail(check, now_ns, "%s was promised %.1f %% and has had %.3f ms", member->name, promised * 100, (double)entity->used_ns / 1e6);
	return true;
}

static bool check_realtime(struct check *check, const struct run_queue *queue, const struct entity *entity, size_t i, uint64_t now_ns)
{
	double bound_ns = 2 * (double)check->piece_most_ns;

	if (!entity->wants || entity->holds || entity->parked || !account_in_budget(queue, entity)) {
		check->waiting_since_ns[i] = 0;
		return true;
	}
	if (!check->waiting_since_ns[i])
		check->waiting_since_ns[i] = now_ns;
	for (size_t k = 0; k < queue->count; k++)
		if (k != i && queue->entities[k]->settings.class == ENTITY_REALTIME)
			bound_ns += 2 * (double)(queue->entities[k]->settings.budget_ns + check->piece_ns[k]);
	if ((double)(now_ns - check->waiting_since_ns[i]) > bound_ns)
		return fail(check, now_ns, "%s has a realtime budget and has waited for %.3f ms, above %.3f ms", check->scenario->members[i].name,
			    (double)(now_ns - check->waiting_since_ns[i]) / 1e6, bound_ns / 1e6);
	return true;
}

static bool check_fluid(struct check *check, const struct entity *entity, size_t i, uint64_t now_ns)
{
	double bound_ns = 2 * (double)(check->slice_most_ns + check->piece_most_ns);
	double gap_ns = (double)entity->used_ns - fluid_served_ns(check->fluid, (uint32_t)i);

	raise_to(&check->worst->fluid, (gap_ns < 0 ? -gap_ns : gap_ns) / bound_ns);
	if (gap_ns > bound_ns + ROUNDING_NS || gap_ns < -bound_ns - ROUNDING_NS)
		return fail(check, now_ns, "%s is %.3f ms from the fluid ideal, above 2 (q + C) = %.3f ms", check->scenario->members[i].name,
			    gap_ns / 1e6, bound_ns / 1e6);
	return true;
}

static bool settled(void *data, void *rule, uint64_t now_ns)
{
	struct check *check = data;
	const struct run_queue *queue = rule_vgpud_queue(rule);

	if (!check_conserving(check, queue, now_ns) || !check_sum(check, queue, now_ns))
		return false;
	if (check->fluid && now_ns > 1)
		fluid_advance(check->fluid, now_ns - 1);	/* work begins at 1 ns */
	for (size_t i = 0; i < check->scenario->member_count; i++) {
		const struct entity *entity = rule_vgpud_entity(rule, (uint32_t)i);
		if (account_slice_ns(queue, entity) > check->slice_most_ns)
			check->slice_most_ns = account_slice_ns(queue, entity);
	}
	for (size_t i = 0; i < check->scenario->member_count; i++) {
		const struct entity *entity = rule_vgpud_entity(rule, (uint32_t)i);
		if (!check_lag(check, queue, entity, i, now_ns) || !check_cap(check, queue, entity, i, now_ns) ||
		    !check_reservation(check, queue, entity, i, now_ns) || !check_realtime(check, queue, entity, i, now_ns) ||
		    (check->fluid && !check_fluid(check, entity, i, now_ns)))
			return false;
	}
	return true;
}

/* Whoever always wants is not robbed by those who come and go: at the end it has what the fluid ideal gives it beside the same arrivals,
 * but for what was lost to switches, and the bound of its lag. */
static void check_robbed(struct check *check, const struct sim_result *result)
{
	double most_ns = (double)(check->piece_most_ns > check->slice_most_ns ? check->piece_most_ns : check->slice_most_ns);

	for (size_t i = 0; i < result->member_count && !check->failed; i++) {
		double missing_ns = result->members[i].ideal_ns - (double)result->members[i].served_ns - (double)result->lost_ns;
		if (check->scenario->members[i].load.arrival != ARRIVAL_BACKLOGGED)
			continue;
		raise_to(&check->worst->fluid, missing_ns / (3 * most_ns));
		if (missing_ns > 3 * most_ns)
			fail(check, result->duration_ns, "%s has %.3f ms less than the fluid ideal, above 3 max(q, C) = %.3f ms",
			     check->scenario->members[i].name, missing_ns / 1e6, 3 * most_ns / 1e6);
	}
}

bool invariants_hold(const struct scenario *scenario, enum random_kind kind, struct invariant_worst *worst, char ret_why[INVARIANT_WHY_BYTES])
{
	struct invariant_worst ignored = {0};
	struct check check = {.scenario = scenario, .kind = kind, .worst = worst ? worst : &ignored, .why = ret_why};
	struct sim_watch watch = {.settled = settled, .data = &check};
	struct sim_result *result;
	char why[ADMISSION_WHY_BYTES] = "";

	for (size_t i = 0; i < scenario->member_count; i++) {
		check.piece_ns[i] = piece_of(scenario, &scenario->members[i].load);
		if (check.piece_ns[i] > check.piece_most_ns)
			check.piece_most_ns = check.piece_ns[i];
	}
	if (kind == RANDOM_STATIC)
		check.fluid = fluid_create(scenario);
	if (sim_run(scenario, &rule_vgpud, scenario->seed, &watch, &result, why)) {
		snprintf(ret_why, INVARIANT_WHY_BYTES, "it does not run: %.200s", why);
		check.failed = true;
	} else {
		if (kind == RANDOM_SLEEPERS)
			check_robbed(&check, result);
		sim_result_destroy(result);
	}
	fluid_destroy(check.fluid);
	return !check.failed;
}
