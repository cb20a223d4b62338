/* SPDX-License-Identifier: MIT */
#include "scheduler/prediction.h"

#define DECAY_SHIFT 5	/* a shorter one takes 1/32 of the difference off */

static unsigned entry_of(uint64_t kernel_id)
{
	return (unsigned)((kernel_id * 0x9e3779b97f4a7c15u) >> 32) % PREDICTION_ENTRIES;
}

static uint64_t hold(uint64_t held_ns, uint64_t took_ns)
{
	return took_ns >= held_ns ? took_ns : held_ns - ((held_ns - took_ns) >> DECAY_SHIFT);
}

void prediction_observe(struct prediction *prediction, uint64_t kernel_id, uint64_t took_ns)
{
	prediction->peak_ns = hold(prediction->peak_ns, took_ns);
	if (!kernel_id)
		return;
	unsigned at = entry_of(kernel_id);
	if (prediction->entries[at].kernel_id != kernel_id) {
		prediction->entries[at].kernel_id = kernel_id;
		prediction->entries[at].cost_ns = took_ns;
		return;
	}
	prediction->entries[at].cost_ns = hold(prediction->entries[at].cost_ns, took_ns);
}

uint64_t prediction_of(const struct prediction *prediction, uint64_t kernel_id)
{
	unsigned at = entry_of(kernel_id);

	if (kernel_id && prediction->entries[at].kernel_id == kernel_id)
		return prediction->entries[at].cost_ns;
	return prediction->peak_ns;
}
