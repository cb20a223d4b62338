/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/chunk.h"

#define LOCAL_MAX 256u		/* of a launch that names none */
#define LOCAL_WORTH 16u		/* fewer work-items in a group than this are not worth it, where there are more to have */
#define GROWTH 4u

static size_t largest_divisor(size_t number, size_t most)
{
	for (size_t d = most < number ? most : number; d > 1; d--)
		if (number % d == 0)
			return d;
	return 1;
}

bool chunk_local_choose(uint32_t dimensions, const size_t global[3], size_t max_group_size, const size_t required[3], size_t ret_local[3])
{
	size_t room = max_group_size < LOCAL_MAX ? max_group_size : LOCAL_MAX, local[3] = {1, 1, 1}, items = 1;
	double all = 1;

	for (uint32_t i = 0; i < dimensions; i++) {
		if (!global[i])
			return false;
		local[i] = required[0] ? required[i] : largest_divisor(global[i], room);
		if (!local[i])
			return false;
		room /= local[i] ? local[i] : 1;
		items *= local[i];
		all *= (double)global[i];
	}
	if (!required[0] && items < LOCAL_WORTH && all >= LOCAL_WORTH)
		return false;
	for (uint32_t i = 0; i < 3; i++)
		ret_local[i] = local[i];
	return true;
}

bool chunk_is_uniform(const struct chunk_range *range)
{
	for (uint32_t i = 0; i < range->dimensions; i++)
		if (!range->local[i] || range->global[i] % range->local[i])
			return false;
	return true;
}

bool chunk_plan_init(struct chunk_plan *plan, const struct chunk_range *whole)
{
	uint64_t all = 1, end;

	*plan = (struct chunk_plan){.whole = *whole, .groups = {1, 1, 1}};
	if (whole->dimensions < 1 || whole->dimensions > 3)
		return false;
	for (uint32_t i = 0; i < whole->dimensions; i++) {
		if (!whole->global[i] || !whole->local[i] || __builtin_add_overflow(whole->offset[i], whole->global[i], &end))
			return false;
		plan->groups[i] = whole->global[i] / whole->local[i] + (whole->global[i] % whole->local[i] != 0);
		if (__builtin_mul_overflow(all, plan->groups[i], &all))
			return false;
	}
	return true;
}

uint64_t chunk_plan_groups(const struct chunk_plan *plan)
{
	return plan->groups[0] * plan->groups[1] * plan->groups[2];
}

/* The dimension a piece of at most max_groups is split along, and the groups of one layer across it. */
static uint32_t split_dimension(const struct chunk_plan *plan, uint64_t max_groups, uint64_t *ret_layer)
{
	uint32_t dimension = 0;
	uint64_t layer = 1;

	/* One up, as long as a whole layer below it fits and begins here. */
	while (dimension + 1 < plan->whole.dimensions && !plan->at[dimension] && layer * plan->groups[dimension] <= max_groups)
		layer *= plan->groups[dimension++];
	*ret_layer = layer;
	return dimension;
}

uint64_t chunk_next(struct chunk_plan *plan, uint64_t max_groups, struct chunk_range *ret_piece)
{
	const struct chunk_range *whole = &plan->whole;
	uint64_t layer;

	if (plan->is_over)
		return 0;
	uint32_t split = split_dimension(plan, max_groups ? max_groups : 1, &layer);
	uint64_t left = plan->groups[split] - plan->at[split];
	uint64_t layers = max_groups / layer < 1 ? 1 : max_groups / layer < left ? max_groups / layer : left;

	*ret_piece = (struct chunk_range){.dimensions = whole->dimensions};
	for (uint32_t i = 0; i < whole->dimensions; i++) {
		uint64_t from = i < split ? 0 : plan->at[i];
		uint64_t to = i < split ? plan->groups[i] : i == split ? from + layers : from + 1;
		size_t end = to == plan->groups[i] ? whole->global[i] : (size_t)to * whole->local[i];
		ret_piece->local[i] = whole->local[i];
		ret_piece->offset[i] = whole->offset[i] + (size_t)from * whole->local[i];
		ret_piece->global[i] = end - (size_t)from * whole->local[i];
	}
	plan->at[split] += layers;
	for (uint32_t i = split; plan->at[i] == plan->groups[i]; i++) {
		plan->at[i] = 0;
		if (i + 1 == whole->dimensions) {
			plan->is_over = true;
			break;
		}
		plan->at[i + 1]++;
	}
	return layers * layer;
}

void chunk_cost_observe(struct chunk_cost *cost, uint64_t groups, uint64_t took_ns, bool is_clean)
{
	double sample_ns = (double)took_ns / (double)groups;

	cost->last_groups = groups;
	cost->last_ns = took_ns;
	if (!is_clean)
		return;
	if (cost->group_ns > 0 && sample_ns > GROWTH * cost->group_ns)
		sample_ns = GROWTH * cost->group_ns;	/* one that was preempted says little; several in a row are believed */
	if (sample_ns > cost->group_ns)
		cost->group_ns = sample_ns;
	else
		cost->group_ns -= (cost->group_ns - sample_ns) / 8;
}

uint64_t chunk_cost_groups(const struct chunk_cost *cost, uint64_t target_ns, uint64_t enqueue_ns, uint64_t first_groups)
{
	uint64_t most = cost->last_groups ? cost->last_groups * GROWTH : first_groups;

	if (most < first_groups)
		most = first_groups;
	if (target_ns < CHUNK_ENQUEUES_MIN * enqueue_ns)
		target_ns = CHUNK_ENQUEUES_MIN * enqueue_ns;
	if (cost->group_ns <= 0) {
		/* What the last took is an upper bound. */
		if (cost->last_groups && cost->last_ns >= target_ns)
			return cost->last_groups;
		return most ? most : 1;
	}
	double groups = (double)target_ns / cost->group_ns;
	if (cost->last_groups && groups > (double)most)
		return most;
	return groups < 1 ? 1 : groups > 1e15 ? 1000000000000000u : (uint64_t)groups;
}

uint64_t chunk_cost_of(const struct chunk_cost *cost, uint64_t groups)
{
	double ns = cost->group_ns * (double)groups;

	return ns > 1e15 ? 1000000000000000u : (uint64_t)ns;
}
