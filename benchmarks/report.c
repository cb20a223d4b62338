// SPDX-License-Identifier: MIT
/* The same figures in three forms. Throughput is by the wall clock: what an application sees. */
#include "benchmarks/report.h"

#include "benchmarks/json.h"
#include "benchmarks/stats.h"

#include <errno.h>

struct figures {
	char size[96];
	struct summary wall_us, event_us;
	double throughput;
};

static int figures_of(const struct bench_result *result, struct figures *ret_figures)
{
	int err;

	*ret_figures = (struct figures){ 0 };
	bench_describe_size(result->kernel, result->param, ret_figures->size, sizeof(ret_figures->size));
	if (result->failed)
		return 0;
	err = stats_summarize(result->wall_us, result->repeat, &ret_figures->wall_us);
	if (!err)
		err = stats_summarize(result->event_us, result->repeat, &ret_figures->event_us);
	if (!err)
		ret_figures->throughput = result->work / (ret_figures->wall_us.median / 1e6);
	return err;
}

static int finish(FILE *out)
{
	return fflush(out) || ferror(out) ? -EIO : 0;
}

static const char *verdict(const struct bench_result *result)
{
	if (result->failed)
		return "error";
	return result->mismatch.found ? "no" : "yes";
}

int report_table(FILE *out, const struct report *report)
{
	fprintf(out, "%s | %s | driver %s\n", report->device->platform_name, report->device->device_name,
		report->device->driver_version);
	fprintf(out, "times in us: median / min / p99 of %u repetitions\n\n", report->options->repeat);
	fprintf(out, "%-10s %-24s %-8s %9s  %-32s %-32s %s\n", "kernel", "size", "verified", "build ms",
		"wall", "events", "throughput");
	for (unsigned i = 0; i < report->result_count; i++) {
		const struct bench_result *result = &report->results[i];
		char wall[64] = "-", events[64] = "-";
		struct figures figures;
		int err = figures_of(result, &figures);

		if (err)
			return err;
		fprintf(out, "%-10s %-24s %-8s ", result->kernel->name, figures.size, verdict(result));
		if (result->failed) {
			fprintf(out, "%s\n", result->failure);
			continue;
		}
		snprintf(wall, sizeof(wall), "%.1f / %.1f / %.1f", figures.wall_us.median,
			figures.wall_us.min, figures.wall_us.p99);
		snprintf(events, sizeof(events), "%.1f / %.1f / %.1f", figures.event_us.median,
			figures.event_us.min, figures.event_us.p99);
		fprintf(out, "%9.1f  %-32s %-32s %.4g %s\n", result->build_ms, wall, events, figures.throughput,
			result->kernel->unit);
		if (result->mismatch.found)
			fprintf(out, "%-10s word %zu: want %s, got %s\n", "", result->mismatch.index,
				result->mismatch.want, result->mismatch.got);
	}
	return finish(out);
}

/* Quoted as RFC 4180 says. */
static void csv_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text == '\n' ? ' ' : *text, out);
	}
	fputc('"', out);
}

int report_csv(FILE *out, const struct report *report)
{
	fputs("kernel,size,verified,build_ms,wall_median_us,wall_min_us,wall_p99_us,event_median_us,"
		"event_min_us,event_p99_us,throughput,unit,detail\n", out);
	for (unsigned i = 0; i < report->result_count; i++) {
		const struct bench_result *result = &report->results[i];
		char detail[SESSION_LOG_MAX] = "";
		struct figures figures;
		int err = figures_of(result, &figures);

		if (err)
			return err;
		fprintf(out, "%s,%s,%s,", result->kernel->name, figures.size, verdict(result));
		if (result->failed) {
			fputs(",,,,,,,,,", out);
			csv_text(out, result->failure);
			fputc('\n', out);
			continue;
		}
		fprintf(out, "%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.6g,%s,", result->build_ms,
			figures.wall_us.median, figures.wall_us.min, figures.wall_us.p99,
			figures.event_us.median, figures.event_us.min, figures.event_us.p99,
			figures.throughput, result->kernel->unit);
		if (result->mismatch.found)
			snprintf(detail, sizeof(detail), "word %zu: want %s, got %s", result->mismatch.index,
				result->mismatch.want, result->mismatch.got);
		csv_text(out, detail);
		fputc('\n', out);
	}
	return finish(out);
}

static void json_summary(struct json *json, const char *key, const struct summary *summary)
{
	json_object(json, key);
	json_number(json, "median", summary->median);
	json_number(json, "min", summary->min);
	json_number(json, "p99", summary->p99);
	json_end(json);
}

static void json_mismatch(struct json *json, const struct mismatch *mismatch)
{
	json_object(json, "mismatch");
	json_uint(json, "word", mismatch->index);
	json_string(json, "want", mismatch->want);
	json_string(json, "got", mismatch->got);
	json_end(json);
}

static int json_result(struct json *json, const struct bench_result *result)
{
	const struct bench_kernel *kernel = result->kernel;
	struct figures figures;
	int err = figures_of(result, &figures);

	if (err)
		return err;
	json_object(json, NULL);
	json_string(json, "kernel", kernel->name);
	json_object(json, "size");
	for (unsigned p = 0; p < BENCH_PARAMS_MAX && kernel->params[p].name; p++)
		json_uint(json, kernel->params[p].name, result->param[p]);
	json_end(json);
	json_bool(json, "verified", bench_verified(result));
	if (result->failed) {
		json_string(json, "error", result->failure);
	} else {
		if (result->mismatch.found)
			json_mismatch(json, &result->mismatch);
		json_number(json, "build_ms", result->build_ms);
		json_summary(json, "wall_us", &figures.wall_us);
		json_summary(json, "event_us", &figures.event_us);
		json_number(json, "throughput", figures.throughput);
		json_string(json, "unit", kernel->unit);
	}
	json_end(json);
	return 0;
}

int report_json(FILE *out, const struct report *report)
{
	struct json json;
	int err = 0;

	json_init(&json, out, true);
	json_object(&json, NULL);
	json_string(&json, "program", "vgpu-bench");
	json_string(&json, "version", VGPU_VERSION);
	json_object(&json, "device");
	json_string(&json, "platform", report->device->platform_name);
	json_string(&json, "platform_version", report->device->platform_version);
	json_string(&json, "name", report->device->device_name);
	json_string(&json, "device_version", report->device->device_version);
	json_string(&json, "driver_version", report->device->driver_version);
	json_uint(&json, "compute_units", report->device->compute_units);
	json_uint(&json, "memory_bytes", report->device->memory_bytes);
	json_end(&json);
	json_uint(&json, "seed", report->options->seed);
	json_uint(&json, "warmup", report->options->warmup);
	json_uint(&json, "repeat", report->options->repeat);
	json_array(&json, "results");
	for (unsigned i = 0; i < report->result_count && !err; i++)
		err = json_result(&json, &report->results[i]);
	json_end(&json);
	json_end(&json);
	return err ? err : json_finish(&json);
}
