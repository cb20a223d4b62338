// SPDX-License-Identifier: MIT
/* Phase K of round R begins (R * count + K) phases into the window. */
#include "benchmarks/fairness/phases.h"

#include "benchmarks/stats.h"

#include <errno.h>
#include <math.h>

bool phase_is_active(const struct phase_plan *plan, uint64_t begin_ns, uint64_t now_ns)
{
	return plan->count == 0 || now_ns < begin_ns || (now_ns - begin_ns) / plan->phase_ns % plan->count == plan->active;
}

uint64_t phase_active_at_ns(const struct phase_plan *plan, uint64_t begin_ns, uint64_t now_ns)
{
	uint64_t phase, ahead;

	if (plan->count == 0 || now_ns < begin_ns)
		return now_ns;
	phase = (now_ns - begin_ns) / plan->phase_ns;
	ahead = (plan->active + plan->count - phase % plan->count) % plan->count;
	return begin_ns + (phase + ahead) * plan->phase_ns;
}

int phases_compute(const struct progress *clients, unsigned client_count, uint32_t phase_bins, unsigned phase_count,
	uint32_t skip_bins, struct phases *ret_phases)
{
	struct phases phases = { .count = phase_count };

	if (client_count == 0 || phase_count == 0 || phase_count > PHASES_MAX || skip_bins >= phase_bins)
		return -EINVAL;
	for (unsigned i = 1; i < client_count; i++)
		if (clients[i].begin_ns != clients[0].begin_ns || clients[i].bins != clients[0].bins)
			return -EINVAL;
	phases.rounds = clients[0].bins / phase_count / phase_bins;
	if (phases.rounds == 0 || phases.rounds > PHASES_ROUNDS_MAX)
		return -EINVAL;
	for (uint32_t bin = 0; bin < phases.rounds * phase_count * phase_bins; bin++) {
		uint32_t phase = bin / phase_bins;

		for (unsigned i = 0; bin % phase_bins >= skip_bins && i < client_count; i++)
			phases.rate[phase % phase_count][phase / phase_count] +=
				clients[i].bin[bin] * 1e9 / clients[i].per_kernel / ((phase_bins - skip_bins) * (double)PROGRESS_BIN_NS);
	}
	*ret_phases = phases;
	return 0;
}

double phases_rate(const struct phases *phases, unsigned phase)
{
	return stats_median(phases->rate[phase], phases->rounds);
}

double phases_ratio(const struct phases *phases, unsigned phase, unsigned other)
{
	double ratio[PHASES_ROUNDS_MAX];
	unsigned count = 0;

	for (unsigned round = 0; round < phases->rounds; round++)
		if (phases->rate[other][round] > 0)
			ratio[count++] = phases->rate[phase][round] / phases->rate[other][round];
	return stats_median(ratio, count);
}
