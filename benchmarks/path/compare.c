// SPDX-License-Identifier: MIT
/*
 * Rounds of launches: native, vgpu, native again (the control), then the two that use PoCL's basic
 * driver. Every other round runs backwards, so that a machine which slowly warms up or fills does not
 * favour the side that comes first.
 */
#include "benchmarks/path/compare.h"

#include "benchmarks/path/launch.h"
#include "benchmarks/path/path_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BASIC_ONLY "enqueue_finish,enqueue_async"
#define POCL_PLATFORM "Portable Computing Language"

/* Of PoCL, on the native side. */
#define BASIC_VARIABLE "POCL_DEVICES=basic"

struct side {
	const char *name;
	struct launch launch;
	struct side_options options;
	bool left_out;
};

static void prepare(const struct compare_options *options, struct side sides[SIDES])
{
	static const char *const names[SIDES] = { "native", "vgpu", "control", "native basic", "vgpu basic" };

	for (unsigned i = 0; i < SIDES; i++) {
		bool vgpu = i == SIDE_VGPU || i == SIDE_VGPU_BASIC;
		bool basic = i == SIDE_NATIVE_BASIC || i == SIDE_VGPU_BASIC;
		struct side *side = &sides[i];

		side->name = names[i];
		side->options = options->side;
		side->options.platform = vgpu ? options->vgpu_platform : options->native_platform;
		if (basic)
			side->options.only = BASIC_ONLY;
		side->launch = (struct launch){
			.name = side->name,
			.options = &side->options,
			.environment = vgpu ? &options->vgpu : &options->native,
			.timeout_s = options->timeout_s,
		};
		side->left_out = basic && options->side.only && !list_names(options->side.only, "enqueue_finish");
	}
	sides[SIDE_NATIVE_BASIC].launch.last_variable = BASIC_VARIABLE;
	sides[SIDE_VGPU_BASIC].launch.environment = &options->vgpu_basic;
	if (options->vgpu_basic.count == 0)
		sides[SIDE_VGPU_BASIC].left_out = true;
}

static int launch_round(const struct compare_options *options, struct side sides[SIDES], unsigned round,
	struct side_results results[SIDES])
{
	for (unsigned i = 0; i < SIDES; i++) {
		unsigned at = round % 2 ? SIDES - 1 - i : i;
		char reason[512];
		int err;

		if (sides[at].left_out)
			continue;
		if (options->progress)
			fprintf(stderr, "progress %u/%u %s\n", round * SIDES + i + 1, options->launches * SIDES,
				sides[at].name);
		err = launch_side(&sides[at].launch, &results[at], reason, sizeof(reason));
		if (err) {
			fprintf(stderr, "vgpu-bench-path: %s\n", reason);
			return err;
		}
		/* The first round starts with native, so this is known before the basic one's turn. */
		if (at == SIDE_NATIVE && strcmp(results[at].device.platform, POCL_PLATFORM))
			sides[SIDE_NATIVE_BASIC].left_out = true;
	}
	return 0;
}

int compare_run(const struct compare_options *options)
{
	struct side_results *results = calloc(SIDES, sizeof(*results));
	struct rows *rows = calloc(1, sizeof(*rows));
	struct side sides[SIDES];
	int err = results && rows ? 0 : -ENOMEM;

	if (err) {
		fputs("vgpu-bench-path: out of memory\n", stderr);
		goto free_all;
	}
	prepare(options, sides);
	for (unsigned round = 0; round < options->launches && !err; round++)
		err = launch_round(options, sides, round, results);
	if (err)
		goto free_all;
	err = rows_build(results, rows);
	if (!err)
		err = path_report_table(stdout, results, rows);
	if (err) {
		fprintf(stderr, "vgpu-bench-path: the figures could not be shown: %s\n", strerror(-err));
		goto free_all;
	}
	err = path_report_write(options, results, rows);
	if (err)
		fprintf(stderr, "vgpu-bench-path: %s could not be written: %s\n", options->out_path,
			strerror(-err));
free_all:
	free(rows);
	free(results);
	return err;
}
