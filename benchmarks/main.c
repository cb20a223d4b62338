// SPDX-License-Identifier: MIT
/*
 * vgpu-bench: computing kernels on any OpenCL device, verified and timed.
 *
 * Knows nothing but the public OpenCL API, so the same program runs natively, through our shim on the
 * host and inside a guest, and its figures can be put side by side.
 */
#include "benchmarks/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	EXIT_VERIFIED = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static int list(void)
{
	char reason[1024];
	int err = device_list(stdout, reason, sizeof(reason));

	for (unsigned i = 0; i < bench_kernel_count; i++) {
		const struct bench_kernel *kernel = bench_kernels[i];

		printf("kernel %-10s %s (%s)\n", kernel->name, kernel->summary, kernel->unit);
		for (unsigned p = 0; p < BENCH_PARAMS_MAX && kernel->params[p].name; p++) {
			const struct bench_param *param = &kernel->params[p];

			printf("  param %s.%s  %s; small %u, medium %u, large %u; %u to %u\n", kernel->name,
				param->name, param->help, param->value[BENCH_SMALL], param->value[BENCH_MEDIUM],
				param->value[BENCH_LARGE], param->min, param->max);
		}
	}
	if (err) {
		fprintf(stderr, "vgpu-bench: %s\n", reason);
		return EXIT_FAILED;
	}
	return EXIT_VERIFIED;
}

static int print_report(const struct report *report)
{
	switch (report->options->format) {
	case REPORT_JSON:
		return report_json(stdout, report);
	case REPORT_CSV:
		return report_csv(stdout, report);
	case REPORT_TABLE:
		break;
	}
	return report_table(stdout, report);
}

static int write_json_file(const char *path, const struct report *report)
{
	FILE *file = fopen(path, "we");
	int err;

	if (!file)
		return -errno;
	err = report_json(file, report);
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

/* Wrong results and errors go to stderr too: a log of it alone says what went wrong, in which kernel. */
static void complain(const struct bench_result *result)
{
	if (result->failed)
		fprintf(stderr, "vgpu-bench: %s: %s\n", result->kernel->name, result->failure);
	else if (result->mismatch.found)
		fprintf(stderr, "vgpu-bench: %s: word %zu of the result is wrong: want %s, got %s\n",
			result->kernel->name, result->mismatch.index, result->mismatch.want,
			result->mismatch.got);
}

static int run(const struct options *options)
{
	struct bench_result *results = calloc(options->chosen_count, sizeof(*results));
	struct device_choice choice;
	struct report report;
	char reason[1024];
	bool verified = true;
	int err, file_err = 0;

	if (!results) {
		fputs("vgpu-bench: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	err = device_choose(options->platform, options->device, &choice, reason, sizeof(reason));
	if (err) {
		fprintf(stderr, "vgpu-bench: %s\n", reason);
		free(results);
		return EXIT_FAILED;
	}
	for (unsigned i = 0; i < options->chosen_count; i++) {
		struct bench_request request = {
			.kernel = options->chosen[i].kernel,
			.seed = options->seed,
			.warmup = options->warmup,
			.repeat = options->repeat,
			.inject_fault = options->inject_fault,
		};

		memcpy(request.param, options->chosen[i].param, sizeof(request.param));
		if (options->progress)
			fprintf(stderr, "progress %u/%u %s\n", i + 1, options->chosen_count,
				request.kernel->name);
		bench_execute(&choice, &request, &results[i]);
		verified = verified && bench_verified(&results[i]);
		complain(&results[i]);
	}
	report = (struct report){ &choice, options, results, options->chosen_count };
	err = print_report(&report);
	if (options->json_path)
		file_err = write_json_file(options->json_path, &report);
	for (unsigned i = 0; i < options->chosen_count; i++)
		bench_result_finish(&results[i]);
	free(results);
	if (err)
		fprintf(stderr, "vgpu-bench: the report could not be printed: %s\n", strerror(-err));
	if (file_err)
		fprintf(stderr, "vgpu-bench: %s could not be written: %s\n", options->json_path,
			strerror(-file_err));
	return verified && !err && !file_err ? EXIT_VERIFIED : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct options options;
	char reason[512];

	if (options_parse(argc, argv, &options, reason, sizeof(reason))) {
		fprintf(stderr, "vgpu-bench: %s\n", reason);
		return EXIT_USAGE;
	}
	if (options.help) {
		options_print_help(stdout);
		return EXIT_VERIFIED;
	}
	if (options.version) {
		puts("vgpu-bench " VGPU_VERSION);
		return EXIT_VERIFIED;
	}
	return options.list ? list() : run(&options);
}
