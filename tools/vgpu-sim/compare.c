/* SPDX-License-Identifier: MIT */
#include "tools/vgpu-sim/compare.h"

#include <jansson.h>

#include "scheduler/sim/mix.h"

struct row {
	const char *said;
	const struct rule_ops *ops;
	enum preemption preemption;
};

static const struct row rows[] = {
	{"GVT-g style", &rule_gvt, PREEMPTION_NONE},
	{"round robin", &rule_round_robin, PREEMPTION_NONE},
	{"plain EEVDF (lag clamp)", &rule_eevdf, PREEMPTION_NONE},
	{"DRM-fair style", &rule_drm_fair, PREEMPTION_NONE},
	{"vgpud, kernels run whole", &rule_vgpud, PREEMPTION_NONE},
	{"**vgpud, chunks**", &rule_vgpud, PREEMPTION_CHUNKS},
	{"vgpud, freeze", &rule_vgpud, PREEMPTION_FREEZE},
};

struct figures {
	double victim;		/* of 1/N */
	double victim_ideal;
	double least_ideal;	/* of any but the displays */
	double p50_ms, p99_ms;
	double missed_percent;
};

/* Of all victims and displays: means; the worst of the rest. */
static struct figures figures_of(const struct summary *summary)
{
	struct figures figures = {.least_ideal = 1e9};
	double victims = 0, displays = 0, frames = 0, missed = 0;

	for (size_t i = 0; i < summary->member_count; i++) {
		const struct summary_member *member = &summary->members[i];
		if (i % MIX_OF != MIX_DISPLAY && member->of_ideal < figures.least_ideal)
			figures.least_ideal = member->of_ideal;
		if (i % MIX_OF == MIX_VICTIM) {
			figures.victim += member->share * (double)summary->member_count;
			figures.victim_ideal += member->of_ideal;
			victims++;
		} else if (i % MIX_OF == MIX_DISPLAY) {
			figures.p50_ms += member->wait_p50_ms;
			figures.p99_ms += member->wait_p99_ms;
			frames += (double)member->frames;
			missed += (double)member->missed;
			displays++;
		}
	}
	figures.victim /= victims;
	figures.victim_ideal /= victims;
	figures.p50_ms /= displays;
	figures.p99_ms /= displays;
	figures.missed_percent = missed * 100 / frames;
	return figures;
}

static int compare_row(FILE *table, json_t *all, const struct row *row, struct scenario *scenario, char ret_why[ADMISSION_WHY_BYTES])
{
	struct summary *summary;

	scenario->preemption = row->preemption;
	int error = summary_run(scenario, row->ops, &summary, ret_why);
	if (error)
		return error;
	struct figures figures = figures_of(summary);
	fprintf(table, "| %s | %zu | %.3f | %.2f | %.2f | %.2f | %.3g/%.3g | %.3g | %.2f |\n", row->said, scenario->member_count, summary->jain,
		figures.victim, figures.victim_ideal, figures.least_ideal, figures.p50_ms, figures.p99_ms, figures.missed_percent,
		summary->lost * 100);
	fflush(table);
	json_array_append_new(all, json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "rule", row->said, "vgpus",
		(int)scenario->member_count, "jain", summary->jain, "victim_share", figures.victim, "victim_of_ideal", figures.victim_ideal,
		"worst_of_ideal", figures.least_ideal, "display_wait_p50_ms", figures.p50_ms, "display_wait_p99_ms", figures.p99_ms,
		"missed_percent", figures.missed_percent, "overhead_percent", summary->lost * 100));
	summary_destroy(summary);
	return 0;
}

int compare(FILE *table, FILE *json, const uint32_t *counts, uint32_t seconds, uint32_t seeds, char ret_why[ADMISSION_WHY_BYTES])
{
	json_t *all = json_array();
	int error = 0;

	fprintf(table, "| Rule | N | Jain | Victim of 1/N | of ideal | Worst of ideal | Display wait P50/P99 ms | Missed %% | Overhead %% |\n"
		       "|---|---|---|---|---|---|---|---|---|\n");
	for (; *counts && !error; counts++) {
		struct scenario *scenario;
		error = mix_create(*counts, &scenario);
		if (error)
			break;
		scenario->duration_ns = seconds * 1000000000ull;
		scenario->seeds = seeds;
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !error; i++)
			error = compare_row(table, all, &rows[i], scenario, ret_why);
		mix_destroy(scenario);
	}
	if (json && !error) {
		json_dumpf(all, json, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
		fputc('\n', json);
	}
	json_decref(all);
	return error;
}
