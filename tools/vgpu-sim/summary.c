/* SPDX-License-Identifier: MIT */
#include "tools/vgpu-sim/summary.h"

#include <errno.h>
#include <stdlib.h>

static void add(struct summary *summary, const struct scenario *scenario, const struct sim_result *result)
{
	double time_ns = (double)result->duration_ns * scenario->queue.leases;

	summary->jain += sim_jain(result);
	summary->served += (double)result->served_ns / time_ns;
	summary->lost += (double)result->lost_ns / time_ns;
	summary->switches += (double)result->switches / ((double)result->duration_ns / 1e9);
	summary->hash = summary->hash * 31 + result->decisions_hash;
	for (size_t i = 0; i < summary->member_count; i++) {
		const struct sim_member *from = &result->members[i];
		struct summary_member *to = &summary->members[i];
		to->share += (double)from->served_ns / (double)result->duration_ns;
		to->of_ideal += from->ideal_ns > 0 ? (double)from->served_ns / from->ideal_ns : 1;
		if (from->window_gap_ns / 1e6 > to->window_gap_ms)
			to->window_gap_ms = from->window_gap_ns / 1e6;
		to->wait_p50_ms += (double)from->waits.p50_ns / 1e6;
		to->wait_p99_ms += (double)from->waits.p99_ns / 1e6;
		if ((double)from->waits.max_ns / 1e6 > to->wait_max_ms)
			to->wait_max_ms = (double)from->waits.max_ns / 1e6;
		to->kernels += from->kernels;
		to->frames += from->frames;
		to->missed += from->missed;
		for (size_t w = 0; !summary->runs && w < summary->window_count; w++)
			summary->windows[i * summary->window_count + w] = (float)from->window_us[w] * 1000 / (float)SIM_WINDOW_NS;
	}
	summary->runs++;
}

static void divide(struct summary *summary)
{
	double runs = summary->runs;

	summary->jain /= runs;
	summary->served /= runs;
	summary->lost /= runs;
	summary->switches /= runs;
	summary->least_of_ideal = 1e9;
	for (size_t i = 0; i < summary->member_count; i++) {
		struct summary_member *member = &summary->members[i];
		member->share /= runs;
		member->of_ideal /= runs;
		member->wait_p50_ms /= runs;
		member->wait_p99_ms /= runs;
		if (member->of_ideal < summary->least_of_ideal)
			summary->least_of_ideal = member->of_ideal;
	}
}

int summary_run(const struct scenario *scenario, const struct rule_ops *ops, struct summary **ret_summary, char ret_why[ADMISSION_WHY_BYTES])
{
	struct summary *summary = calloc(1, sizeof(*summary) + scenario->member_count * sizeof(summary->members[0]));
	int error = -ENOMEM;

	if (!summary)
		return error;
	summary->member_count = scenario->member_count;
	summary->window_count = scenario->duration_ns / SIM_WINDOW_NS;
	summary->seconds = (double)scenario->duration_ns / 1e9;
	summary->windows = calloc(summary->member_count * summary->window_count + 1, sizeof(*summary->windows));
	if (!summary->windows)
		goto fail;
	for (uint32_t run = 0; run < (scenario->seeds ? scenario->seeds : 1); run++) {
		struct sim_result *result;
		error = sim_run(scenario, ops, scenario->seed + run, NULL, &result, ret_why);
		if (error)
			goto fail;
		add(summary, scenario, result);
		sim_result_destroy(result);
	}
	divide(summary);
	*ret_summary = summary;
	return 0;
fail:
	summary_destroy(summary);
	return error;
}

void summary_destroy(struct summary *summary)
{
	if (!summary)
		return;
	free(summary->windows);
	free(summary);
}
