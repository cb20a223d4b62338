/* SPDX-License-Identifier: MIT */
#include "scheduler/sim/fluid.h"

#include <math.h>
#include <stdlib.h>

struct stream {
	double left_ns;		/* INFINITY while backlogged */
	double served_ns;
	double weight;
	double most;		/* rate */
	double rate;
	uint32_t class;
	uint64_t begin_ns;
	bool is_fixed;		/* rate found */
};

struct fluid {
	double now_ns;
	double leases;
	const struct scenario *scenario;
	bool is_holding;
	size_t count;
	struct stream streams[];
};

static double most_of(const struct fluid *fluid, const struct scenario *scenario, const struct entity_settings *settings)
{
	double most = settings->cap_ppm / (double)ENTITY_WHOLE_PPM;
	/* Its promise is a rate: at full speed it would leave moments of nothing for those whose cap bounds their speed. */
	if (settings->class == ENTITY_REALTIME && !fluid->is_holding && settings->budget_ns < most * (double)settings->period_ns)
		most = (double)settings->budget_ns / (double)settings->period_ns;
	double among = scenario->queue.policy == POLICY_FIXED_SHARE ? scenario->queue.slots : (double)scenario->member_count;

	return fluid->is_holding && fluid->leases / among < most ? fluid->leases / among : most;
}

struct fluid *fluid_create(const struct scenario *scenario)
{
	struct fluid *fluid = calloc(1, sizeof(*fluid) + scenario->member_count * sizeof(fluid->streams[0]));

	if (!fluid)
		return NULL;
	fluid->scenario = scenario;
	fluid->count = scenario->member_count;
	fluid->leases = scenario->queue.leases;
	fluid->is_holding = scenario->queue.policy == POLICY_EQUAL_SHARE || scenario->queue.policy == POLICY_FIXED_SHARE;
	for (size_t i = 0; i < fluid->count; i++) {
		const struct member *member = &scenario->members[i];
		fluid->streams[i] = (struct stream){
			.left_ns = member->load.arrival == ARRIVAL_BACKLOGGED ? INFINITY : 0,
			.weight = fluid->is_holding ? 1 : member->settings.weight,
			.most = most_of(fluid, scenario, &member->settings),
			.class = fluid->is_holding ? ENTITY_NORMAL : member->settings.class,
			.begin_ns = member->load.begin_ns,
		};
	}
	return fluid;
}

void fluid_destroy(struct fluid *fluid)
{
	free(fluid);
}

static bool is_active(const struct fluid *fluid, const struct stream *stream)
{
	return stream->left_ns > 0 && fluid->now_ns >= (double)stream->begin_ns;
}

/* Gives `rate` to the active of one class by weight, none above its most. Returns what is left. */
static double pour(struct fluid *fluid, uint32_t class, double rate)
{
	for (bool again = true; again;) {
		double weight = 0;
		again = false;
		for (size_t i = 0; i < fluid->count; i++)
			if (fluid->streams[i].class == class && is_active(fluid, &fluid->streams[i]) && !fluid->streams[i].is_fixed)
				weight += fluid->streams[i].weight;
		for (size_t i = 0; i < fluid->count && weight > 0; i++) {
			struct stream *stream = &fluid->streams[i];
			if (stream->class != class || !is_active(fluid, stream) || stream->is_fixed)
				continue;
			stream->rate = rate * stream->weight / weight;
			if (stream->rate < stream->most)
				continue;
			stream->rate = stream->most;
			stream->is_fixed = true;
			rate -= stream->most;
			again = true;
			break;	/* the others' part has changed */
		}
	}
	for (size_t i = 0; i < fluid->count; i++)
		if (fluid->streams[i].class == class && is_active(fluid, &fluid->streams[i]) && !fluid->streams[i].is_fixed)
			rate -= fluid->streams[i].rate;
	return rate > 1e-9 ? rate : 0;
}

static double step(struct fluid *fluid, double until_ns)
{
	double length_ns = until_ns - fluid->now_ns;

	for (size_t i = 0; i < fluid->count; i++) {
		fluid->streams[i].rate = 0;
		fluid->streams[i].is_fixed = false;
	}
	double rate = pour(fluid, ENTITY_REALTIME, fluid->leases);
	rate = pour(fluid, ENTITY_NORMAL, rate);
	pour(fluid, ENTITY_IDLE, rate);
	for (size_t i = 0; i < fluid->count; i++) {
		const struct stream *stream = &fluid->streams[i];
		if (stream->rate > 0 && stream->left_ns / stream->rate < length_ns)
			length_ns = stream->left_ns / stream->rate;
		if (stream->left_ns > 0 && (double)stream->begin_ns > fluid->now_ns && (double)stream->begin_ns - fluid->now_ns < length_ns)
			length_ns = (double)stream->begin_ns - fluid->now_ns;
	}
	return length_ns;
}

void fluid_advance(struct fluid *fluid, uint64_t now_ns)
{
	while (fluid->now_ns < (double)now_ns) {
		double length_ns = step(fluid, (double)now_ns);
		for (size_t i = 0; i < fluid->count; i++) {
			struct stream *stream = &fluid->streams[i];
			double part_ns = stream->rate * length_ns;
			stream->served_ns += part_ns;
			stream->left_ns -= part_ns;
			if (stream->left_ns < 1e-3)
				stream->left_ns = 0;
		}
		fluid->now_ns += length_ns;
		if (length_ns < 1e-3)
			fluid->now_ns += 1e-3;	/* below what a double of an hour in ns can tell */
	}
}

void fluid_arrive(struct fluid *fluid, uint32_t member, uint64_t length_ns)
{
	fluid->streams[member].left_ns += (double)length_ns;
}

void fluid_edit(struct fluid *fluid, uint32_t member, const struct entity_settings *settings)
{
	struct stream *stream = &fluid->streams[member];

	if (fluid->is_holding)
		return;
	stream->weight = settings->weight;
	stream->most = most_of(fluid, fluid->scenario, settings);
	stream->class = settings->class;
}

double fluid_served_ns(const struct fluid *fluid, uint32_t member)
{
	return fluid->streams[member].served_ns;
}
