/* SPDX-License-Identifier: MIT */
/* Writes a scenario as scenario_read takes it: for reproducers of failed tests, and for recorded traces. */
#include "tools/vgpu-sim/scenario_file.h"

static unsigned long long us(uint64_t ns)
{
	return (unsigned long long)(ns / 1000);
}

static void write_spread(FILE *file, const char *name, const struct spread_ns *spread)
{
	switch (spread->kind) {
	case SPREAD_FIXED:
		fprintf(file, "\"%s\": %llu", name, us(spread->a_ns));
		return;
	case SPREAD_EXPONENTIAL:
		fprintf(file, "\"%s\": {\"kind\": \"exponential\", \"mean_us\": %llu", name, us(spread->a_ns));
		if (spread->b_ns)
			fprintf(file, ", \"most_us\": %llu", us(spread->b_ns));
		fputs("}", file);
		return;
	default:
		fprintf(file, "\"%s\": {\"kind\": \"%s\", \"from_us\": %llu, \"to_us\": %llu}", name,
			spread->kind == SPREAD_UNIFORM ? "uniform" : "log-uniform", us(spread->a_ns), us(spread->b_ns));
	}
}

static void write_settings(FILE *file, const struct entity_settings *settings)
{
	static const char *const classes[] = {"normal", "realtime", "idle"};

	fprintf(file, "\"weight\": %u, \"class\": \"%s\", \"cap_permille\": %u, \"burst_us\": %llu, \"reservation_permille\": %u", settings->weight,
		classes[settings->class], settings->cap_ppm / 1000, us(settings->burst_ns), settings->reservation_ppm / 1000);
	if (settings->class == ENTITY_REALTIME)
		fprintf(file, ", \"budget_us\": %llu, \"period_us\": %llu", us(settings->budget_ns), us(settings->period_ns));
	if (settings->slice_ns)
		fprintf(file, ", \"slice_us\": %llu", us(settings->slice_ns));
}

static void write_load(FILE *file, const struct load *load)
{
	static const char *const kinds[] = {"backlogged", "periodic", "random", "think", "trace"};

	fprintf(file, "\"arrival\": {\"kind\": \"%s\"", kinds[load->arrival]);
	if (load->arrival == ARRIVAL_PERIODIC)
		fprintf(file, ", \"gap_us\": %llu, \"jitter_us\": %llu", us(load->gap.a_ns), us(load->jitter_ns));
	if (load->arrival == ARRIVAL_RANDOM || load->arrival == ARRIVAL_THINK) {
		fputs(", ", file);
		write_spread(file, "gap", &load->gap);
		fprintf(file, ", \"burst\": %u", load->burst);
	}
	if (load->arrival == ARRIVAL_TRACE && load->record_count) {
		fputs(", \"records_ns\": [", file);
		for (size_t i = 0; i < load->record_count; i++)
			fprintf(file, "%s[%llu, %llu, %llu]", i ? "," : "", (unsigned long long)load->records[i].at_ns,
				(unsigned long long)(load->records[i].kernel_id & INT64_MAX), (unsigned long long)load->records[i].length_ns);
		fputs("]", file);
	}
	fputs("}", file);
	if (load->arrival != ARRIVAL_TRACE) {
		fputs(", ", file);
		write_spread(file, "kernel", &load->kernel);
	}
	fprintf(file, ", \"whole\": %s, \"begin_us\": %llu", load->is_whole ? "true" : "false", us(load->begin_ns));
}

void scenario_write(FILE *file, const struct scenario *scenario)
{
	static const char *const policies[] = {"best-effort", "equal-share", "fixed-share", "adaptive"};
	static const char *const preemptions[] = {"none", "chunks", "freeze"};
	const struct run_queue_settings *queue = &scenario->queue;

	fprintf(file, "{\n  \"title\": \"%s\", \"duration_us\": %llu, \"seed\": %llu, \"seeds\": %u,\n", scenario->title,
		us(scenario->duration_ns), (unsigned long long)scenario->seed, scenario->seeds ? scenario->seeds : 1);
	fprintf(file, "  \"gpu\": {\"policy\": \"%s\", \"preemption\": \"%s\", \"leases\": %u, \"slots\": %u, \"averaging\": %u,\n"
		      "    \"slice_us\": %llu, \"slice_min_us\": %llu, \"slice_max_us\": %llu, \"target_latency_us\": %llu, \"switch_ppm\": %u,\n"
		      "    \"chunk_us\": %llu, \"switch_us\": %llu, \"chunk_cost_us\": %llu, \"freeze_us\": %llu},\n  \"vgpus\": [\n",
		policies[queue->policy], preemptions[scenario->preemption], queue->leases, queue->slots, queue->averaging, us(queue->slice_ns),
		us(queue->slice_min_ns), us(queue->slice_max_ns), us(queue->target_latency_ns), queue->switch_ppm, us(queue->chunk_ns),
		us(scenario->switch_ns), us(scenario->chunk_cost_ns), us(scenario->freeze_ns));
	for (size_t i = 0; i < scenario->member_count; i++) {
		fprintf(file, "    {\"name\": \"%s\", ", scenario->members[i].name);
		write_settings(file, &scenario->members[i].settings);
		fputs(",\n      ", file);
		write_load(file, &scenario->members[i].load);
		fprintf(file, "}%s\n", i + 1 < scenario->member_count ? "," : "");
	}
	fputs("  ],\n  \"edits\": [", file);
	for (size_t i = 0; i < scenario->edit_count; i++) {
		const struct edit *edit = &scenario->edits[i];
		fprintf(file, "%s\n    {\"at_us\": %llu, \"vgpu\": \"%s\", ", i ? "," : "", us(edit->at_ns), scenario->members[edit->member].name);
		write_settings(file, &edit->settings);
		fputs("}", file);
	}
	fprintf(file, "%s]\n}\n", scenario->edit_count ? "\n  " : "");
}
