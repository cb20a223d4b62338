// SPDX-License-Identifier: MIT
/* Measures what path/measure.c lists, then the set of kernels, and prints a line for each. */
#include "benchmarks/path/side.h"

#include "benchmarks/json.h"
#include "benchmarks/path/measure.h"
#include "benchmarks/runner.h"

#include <errno.h>
#include <string.h>

#define SEED 1
#define WARMUP 1

static int print_device(FILE *out, const struct device_choice *choice)
{
	struct json json;

	json_init(&json, out, false);
	json_object(&json, NULL);
	json_string(&json, "platform", choice->platform_name);
	json_string(&json, "platform_version", choice->platform_version);
	json_string(&json, "device", choice->device_name);
	json_string(&json, "device_version", choice->device_version);
	json_string(&json, "driver_version", choice->driver_version);
	json_end(&json);
	return json_finish(&json);
}

static int print_samples(FILE *out, const char *name, const char *unit, bool higher_is_better,
	const double *value, size_t count)
{
	struct json json;

	json_init(&json, out, false);
	json_object(&json, NULL);
	json_string(&json, "name", name);
	json_string(&json, "unit", unit);
	json_bool(&json, "higher_is_better", higher_is_better);
	json_array(&json, "samples");
	for (size_t i = 0; i < count; i++)
		json_number(&json, NULL, value[i]);
	json_end(&json);
	json_end(&json);
	return json_finish(&json);
}

static int print_skipped(FILE *out, const char *name, const char *reason)
{
	struct json json;

	json_init(&json, out, false);
	json_object(&json, NULL);
	json_string(&json, "name", name);
	json_string(&json, "skipped", reason);
	json_end(&json);
	return json_finish(&json);
}

/* True: `reason` says why a transfer of that size is left out. */
static bool too_large(const struct device_choice *choice, const struct side_options *options, size_t bytes,
	char *reason, size_t reason_size)
{
	if (bytes > options->max_bytes)
		snprintf(reason, reason_size, "larger than --max-bytes %llu",
			(unsigned long long)options->max_bytes);
	else if (bytes > choice->allocation_max_bytes)
		snprintf(reason, reason_size, "the device allows %llu bytes per buffer",
			(unsigned long long)choice->allocation_max_bytes);
	else
		return false;
	return true;
}

static int measure_path(const struct device_choice *choice, const struct side_options *options,
	const struct measurement *measurement, FILE *out)
{
	struct samples samples = { 0 };
	struct session cl;
	char reason[128];
	int err = -EIO;

	if (too_large(choice, options, measurement->bytes, reason, sizeof(reason)))
		return print_skipped(out, measurement->name, reason);
	session_open(&cl, choice);
	if (!cl.failed)
		measurement->run(&cl, measurement->bytes, &samples);
	if (samples.short_of_memory)
		session_fail(&cl, "out of memory for samples");
	if (cl.failed)
		fprintf(stderr, "vgpu-bench-path: %s: %s\n", measurement->name, cl.failure);
	else
		err = print_samples(out, measurement->name, measurement->unit, measurement->higher_is_better,
			samples.value, samples.count);
	session_close(&cl);
	samples_finish(&samples);
	return err;
}

static int measure_kernel(const struct device_choice *choice, const struct side_options *options,
	const struct bench_kernel *kernel, const char *name, FILE *out)
{
	struct bench_request request = {
		.kernel = kernel,
		.seed = SEED,
		.warmup = WARMUP,
		.repeat = options->repeat,
	};
	struct bench_result result;
	int err = -EIO;

	for (unsigned p = 0; p < BENCH_PARAMS_MAX; p++)
		request.param[p] = kernel->params[p].value[options->size];
	bench_execute(choice, &request, &result);
	if (result.failed)
		fprintf(stderr, "vgpu-bench-path: %s: %s\n", name, result.failure);
	else if (result.mismatch.found)
		fprintf(stderr, "vgpu-bench-path: %s: word %zu of the result is wrong: want %s, got %s\n",
			name, result.mismatch.index, result.mismatch.want, result.mismatch.got);
	else
		err = print_samples(out, name, "us", false, result.wall_us, result.repeat);
	bench_result_finish(&result);
	return err;
}

int side_run(const struct side_options *options, FILE *out)
{
	struct device_choice choice;
	unsigned measured = 0;
	char reason[1024];
	int err = device_choose(options->platform, options->device, &choice, reason, sizeof(reason));

	if (err) {
		fprintf(stderr, "vgpu-bench-path: %s\n", reason);
		return err;
	}
	err = print_device(out, &choice);
	for (unsigned i = 0; i < measurement_count && !err; i++) {
		if (!list_names(options->only, measurements[i].name, measurements[i].group))
			continue;
		err = measure_path(&choice, options, &measurements[i], out);
		measured++;
	}
	for (unsigned i = 0; i < bench_kernel_count && !err; i++) {
		char name[64];

		kernel_measure_name(bench_kernels[i], name, sizeof(name));
		if (!list_names(options->only, name, "set"))
			continue;
		err = measure_kernel(&choice, options, bench_kernels[i], name, out);
		measured++;
	}
	if (!err && measured == 0) {
		fprintf(stderr, "vgpu-bench-path: --only %s names no measurement; the names are those of the "
			"report, such as "
			"enqueue_finish, write_1MiB, kernel_sgemm, or commands, many, work, transfers, set\n", options->only);
		err = -EINVAL;
	}
	return err;
}
