// SPDX-License-Identifier: MIT
/*
 * Rounds of launches. In each round every portion of measurements has its turn, and within that native,
 * vgpu, native again (the control), then the two that use PoCL's basic driver: so the launches which
 * are compared with each other lie seconds apart, and what else the machine does hits them alike. The
 * order changes from round to round through all there are: with a fixed one, the launch in the middle
 * was measured 10 % faster than its equals before and after it.
 */
#include "benchmarks/path/compare.h"

#include "benchmarks/path/launch.h"
#include "benchmarks/path/path_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BASIC_ONLY "enqueue_finish,enqueue_async,empty_1M"
#define POCL_PLATFORM "Portable Computing Language"

/* Of PoCL, on the native side. */
#define BASIC_VARIABLE "POCL_DEVICES=basic"

/* The order of a round's launches; the first one starts with native. */
static const enum side_id orders[][SIDES] = {
	{ SIDE_NATIVE, SIDE_VGPU, SIDE_CONTROL, SIDE_NATIVE_BASIC, SIDE_VGPU_BASIC },
	{ SIDE_VGPU_BASIC, SIDE_NATIVE_BASIC, SIDE_CONTROL, SIDE_VGPU, SIDE_NATIVE },
	{ SIDE_VGPU, SIDE_CONTROL, SIDE_NATIVE, SIDE_NATIVE_BASIC, SIDE_VGPU_BASIC },
	{ SIDE_VGPU_BASIC, SIDE_NATIVE_BASIC, SIDE_NATIVE, SIDE_CONTROL, SIDE_VGPU },
	{ SIDE_CONTROL, SIDE_NATIVE, SIDE_VGPU, SIDE_NATIVE_BASIC, SIDE_VGPU_BASIC },
	{ SIDE_VGPU_BASIC, SIDE_NATIVE_BASIC, SIDE_VGPU, SIDE_NATIVE, SIDE_CONTROL },
};
#define ORDERS (sizeof(orders) / sizeof(orders[0]))

struct side {
	const char *name;
	struct launch launch;
	struct side_options options;
	bool basic;			/* measures BASIC_ONLY, and that in the group "commands" */
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
		side->basic = basic;
		side->left_out = basic && !list_names(options->side.only, "enqueue_finish", "commands");
	}
	sides[SIDE_NATIVE_BASIC].launch.last_variable = BASIC_VARIABLE;
	sides[SIDE_VGPU_BASIC].launch.environment = &options->vgpu_basic;
	if (options->vgpu_basic.count == 0)
		sides[SIDE_VGPU_BASIC].left_out = true;
}

static int launch_one(struct side *side, struct side_results *results)
{
	char reason[512];
	int err = launch_side(&side->launch, results, reason, sizeof(reason));

	if (err)
		fprintf(stderr, "vgpu-bench-path: %s\n", reason);
	return err;
}

/* All sides once, with the measurements that `only` names; `*done` counts for the progress lines. */
static int launch_group(const struct compare_options *options, struct side sides[SIDES], const char *only,
	const enum side_id *order, unsigned *done, unsigned total, struct side_results results[SIDES])
{
	int err = 0;

	for (unsigned i = 0; i < SIDES && !err; i++) {
		enum side_id at = order[i];
		struct side *side = &sides[at];

		++*done;
		if (side->left_out || (side->basic && !list_names(only, "enqueue_finish", "commands")))
			continue;
		if (options->progress)
			fprintf(stderr, "progress %u/%u %s %s\n", *done, total, side->name, only);
		if (!side->basic)
			side->options.only = only;
		err = launch_one(side, &results[at]);
		/* The first round starts with native, so this is known before the basic one's turn. */
		if (at == SIDE_NATIVE && strcmp(results[at].device.platform, POCL_PLATFORM))
			sides[SIDE_NATIVE_BASIC].left_out = true;
	}
	return err;
}

/*
 * One round: commands, work, transfers, and the kernels of the set each on its own, so that its launches lie
 * close together; or all that --only names at once.
 */
static int launch_round(const struct compare_options *options, struct side sides[SIDES], unsigned round,
	unsigned *done, struct side_results results[SIDES])
{
	unsigned set_launches = SET_TURNS * bench_kernel_count;
	unsigned total = options->launches * SIDES * (options->side.only ? 1 : 3 + set_launches);
	const enum side_id *order = orders[round % ORDERS];
	int err;

	if (options->side.only)
		return launch_group(options, sides, options->side.only, order, done, total, results);
	err = launch_group(options, sides, "commands", order, done, total, results);
	if (!err)
		err = launch_group(options, sides, "work", order, done, total, results);
	if (!err)
		err = launch_group(options, sides, "transfers", order, done, total, results);
	for (unsigned i = 0; i < set_launches && !err; i++) {
		unsigned turn = round * SET_TURNS + i / bench_kernel_count;
		char name[LINE_NAME_MAX];

		kernel_measure_name(bench_kernels[i % bench_kernel_count], name, sizeof(name));
		err = launch_group(options, sides, name, orders[turn % ORDERS], done, total, results);
	}
	return err;
}

int compare_run(const struct compare_options *options)
{
	struct side_results *results = calloc(SIDES, sizeof(*results));
	struct rows *rows = calloc(1, sizeof(*rows));
	struct side sides[SIDES];
	unsigned done = 0;
	int err = results && rows ? 0 : -ENOMEM;

	if (err) {
		fputs("vgpu-bench-path: out of memory\n", stderr);
		goto free_all;
	}
	prepare(options, sides);
	for (unsigned round = 0; round < options->launches && !err; round++)
		err = launch_round(options, sides, round, &done, results);
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
