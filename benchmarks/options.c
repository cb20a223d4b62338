// SPDX-License-Identifier: MIT
/* Command line of vgpu-bench: text becomes numbers, kernels and sizes here and nowhere else. */
#include "benchmarks/options.h"

#include "benchmarks/option_reader.h"

#include <errno.h>
#include <string.h>

#define OVERRIDES_MAX 32
#define REPEAT_MAX 100000

enum option_id {
	OPTION_KERNEL = 256,
	OPTION_SIZE,
	OPTION_PARAM,
	OPTION_REPEAT,
	OPTION_WARMUP,
	OPTION_PLATFORM,
	OPTION_DEVICE,
	OPTION_SEED,
	OPTION_JSON,
	OPTION_FORMAT,
	OPTION_PROGRESS,
	OPTION_LIST,
	OPTION_INJECT_FAULT,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option long_options[] = {
	{ "kernel", required_argument, NULL, OPTION_KERNEL },
	{ "size", required_argument, NULL, OPTION_SIZE },
	{ "param", required_argument, NULL, OPTION_PARAM },
	{ "repeat", required_argument, NULL, OPTION_REPEAT },
	{ "warmup", required_argument, NULL, OPTION_WARMUP },
	{ "platform", required_argument, NULL, OPTION_PLATFORM },
	{ "device", required_argument, NULL, OPTION_DEVICE },
	{ "seed", required_argument, NULL, OPTION_SEED },
	{ "json", required_argument, NULL, OPTION_JSON },
	{ "format", required_argument, NULL, OPTION_FORMAT },
	{ "progress", no_argument, NULL, OPTION_PROGRESS },
	{ "list", no_argument, NULL, OPTION_LIST },
	{ "inject-fault", no_argument, NULL, OPTION_INJECT_FAULT },	/* not in the help: for tests */
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

void options_print_help(FILE *out)
{
	fputs("usage: vgpu-bench [OPTION]...\n"
		"Runs computing kernels on an OpenCL device, verifies each against the CPU and times it.\n\n"
		"  --kernel A,B,...       these kernels, in this order (default: all; see --list)\n"
		"  --size PRESET          small, medium (default) or large\n"
		"  --param KERNEL.P=N     one parameter of a kernel; may be repeated\n"
		"  --repeat N             timed repetitions (default 20)\n"
		"  --warmup N             untimed ones before them (default 2)\n"
		"  --platform TEXT        platform whose name holds TEXT\n"
		"  --device TEXT|INDEX    device whose name holds TEXT, or by number\n"
		"  --seed N               of the input data (default 1)\n"
		"  --format FORMAT        table (default), json or csv, on standard output\n"
		"  --json FILE            writes the JSON report to FILE as well\n"
		"  --progress             'progress K/N KERNEL' lines on standard error\n"
		"  --list                 shows devices, kernels and their parameters\n"
		"  --help, --version\n\n"
		"Exit status: 0 all verified, 1 a wrong result or an OpenCL error, 2 wrong usage.\n", out);
}

static int parse_format(const char *text, enum report_format *ret_format, char *reason, size_t reason_size)
{
	static const char *const names[] = { "table", "json", "csv" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*ret_format = (enum report_format)i;
			return 0;
		}
	}
	snprintf(reason, reason_size, "--format is '%s', but must be table, json or csv", text);
	return -EINVAL;
}

/* -EINVAL with a reason; `length` because the name is a part of a longer argument. */
static int find_kernel(const char *name, size_t length, const struct bench_kernel **ret_kernel, char *reason,
	size_t reason_size)
{
	size_t used;

	for (unsigned i = 0; i < bench_kernel_count; i++) {
		if (strlen(bench_kernels[i]->name) == length && !strncmp(bench_kernels[i]->name, name, length)) {
			*ret_kernel = bench_kernels[i];
			return 0;
		}
	}
	used = (size_t)snprintf(reason, reason_size, "there is no kernel '%.*s'; choose from", (int)length, name);
	for (unsigned i = 0; i < bench_kernel_count && used < reason_size; i++)
		used += (size_t)snprintf(reason + used, reason_size - used, "%s %s", i ? "," : "",
			bench_kernels[i]->name);
	return -EINVAL;
}

static int choose_kernel(struct options *options, const struct bench_kernel *kernel, char *reason,
	size_t reason_size)
{
	for (unsigned i = 0; i < options->chosen_count; i++) {
		if (options->chosen[i].kernel == kernel) {
			snprintf(reason, reason_size, "--kernel names '%s' twice; once is enough, --repeat says "
				"how often it runs", kernel->name);
			return -EINVAL;
		}
	}
	/* Each at most once, so there is room as long as the table of kernels fits. */
	options->chosen[options->chosen_count++].kernel = kernel;
	return 0;
}

static int parse_kernels(const char *text, struct options *options, char *reason, size_t reason_size)
{
	for (;;) {
		const struct bench_kernel *kernel;
		size_t length = strcspn(text, ",");
		int err = find_kernel(text, length, &kernel, reason, reason_size);

		if (!err)
			err = choose_kernel(options, kernel, reason, reason_size);
		if (err)
			return err;
		if (text[length] == '\0')
			return 0;
		text += length + 1;
	}
}

/* "sgemm.n=512", for the kernel if it is chosen, else an error: it would be silently without effect. */
static int apply_param(const char *text, struct options *options, char *reason, size_t reason_size)
{
	size_t kernel_length = strcspn(text, ".="), param_length;
	const struct bench_kernel *kernel;
	const char *param_name;
	unsigned chosen, p;
	uint64_t value;
	int err;

	if (text[kernel_length] != '.' || !strchr(text, '=')) {
		snprintf(reason, reason_size, "--param is '%s', but must read KERNEL.PARAMETER=NUMBER, such as "
			"sgemm.n=512", text);
		return -EINVAL;
	}
	err = find_kernel(text, kernel_length, &kernel, reason, reason_size);
	if (err)
		return err;
	for (chosen = 0; chosen < options->chosen_count; chosen++)
		if (options->chosen[chosen].kernel == kernel)
			break;
	if (chosen == options->chosen_count) {
		snprintf(reason, reason_size, "--param %s is for a kernel that --kernel does not name", text);
		return -EINVAL;
	}
	param_name = text + kernel_length + 1;
	param_length = strcspn(param_name, "=");
	for (p = 0; p < BENCH_PARAMS_MAX && kernel->params[p].name; p++)
		if (strlen(kernel->params[p].name) == param_length &&
		    !strncmp(kernel->params[p].name, param_name, param_length))
			break;
	if (p == BENCH_PARAMS_MAX || !kernel->params[p].name) {
		snprintf(reason, reason_size, "kernel '%s' has no parameter '%.*s'; see --list", kernel->name,
			(int)param_length, param_name);
		return -EINVAL;
	}
	err = option_number(param_name + param_length + 1, text, kernel->params[p].min,
		kernel->params[p].max, &value, reason, reason_size);
	if (!err)
		options->chosen[chosen].param[p] = (uint32_t)value;
	return err;
}

/* What must wait until all options are known: the default set, the preset, then the overrides. */
static int resolve(struct options *options, const char **overrides, unsigned override_count, char *reason,
	size_t reason_size)
{
	int err = 0;

	if (options->chosen_count == 0) {
		for (unsigned i = 0; i < bench_kernel_count; i++)
			options->chosen[i].kernel = bench_kernels[i];
		options->chosen_count = bench_kernel_count;
	}
	for (unsigned i = 0; i < options->chosen_count; i++)
		for (unsigned p = 0; p < BENCH_PARAMS_MAX; p++)
			options->chosen[i].param[p] = options->chosen[i].kernel->params[p].value[options->size];
	for (unsigned i = 0; i < override_count && !err; i++)
		err = apply_param(overrides[i], options, reason, reason_size);
	return err;
}

static int parse_one(int option, struct options *options, char *reason, size_t reason_size)
{
	switch (option) {
	case OPTION_KERNEL:
		return parse_kernels(optarg, options, reason, reason_size);
	case OPTION_SIZE:
		return option_size(optarg, &options->size, reason, reason_size);
	case OPTION_REPEAT:
		return option_count(optarg, "--repeat", 1, REPEAT_MAX, &options->repeat, reason, reason_size);
	case OPTION_WARMUP:
		return option_count(optarg, "--warmup", 0, REPEAT_MAX, &options->warmup, reason, reason_size);
	case OPTION_SEED:
		return option_number(optarg, "--seed", 0, UINT64_MAX, &options->seed, reason,
			reason_size);
	case OPTION_FORMAT:
		return parse_format(optarg, &options->format, reason, reason_size);
	case OPTION_PLATFORM:
		options->platform = optarg;
		break;
	case OPTION_DEVICE:
		options->device = optarg;
		break;
	case OPTION_JSON:
		options->json_path = optarg;
		break;
	case OPTION_PROGRESS:
		options->progress = true;
		break;
	case OPTION_LIST:
		options->list = true;
		break;
	case OPTION_INJECT_FAULT:
		options->inject_fault = true;
		break;
	case OPTION_HELP:
		options->help = true;
		break;
	case OPTION_VERSION:
		options->version = true;
		break;
	}
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret_options, char *reason, size_t reason_size)
{
	struct options options = {
		.size = BENCH_MEDIUM,
		.seed = 1,
		.repeat = 20,
		.warmup = 2,
	};
	const char *overrides[OVERRIDES_MAX];
	unsigned override_count = 0;
	int option, err;

	option_begin();
	while (!(err = option_next(argc, argv, long_options, &option, reason, reason_size)) && option != OPTION_END) {
		if (option != OPTION_PARAM) {
			err = parse_one(option, &options, reason, reason_size);
		} else if (override_count == OVERRIDES_MAX) {
			snprintf(reason, reason_size, "--param is there more than %d times; name fewer", OVERRIDES_MAX);
			err = -EINVAL;
		} else {
			overrides[override_count++] = optarg;
		}
		if (err)
			break;
	}
	if (!err)
		err = resolve(&options, overrides, override_count, reason, reason_size);
	if (!err)
		*ret_options = options;
	return err;
}
