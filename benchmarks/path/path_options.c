// SPDX-License-Identifier: MIT
/* Parses both verbs' options through one table; the environments are the only text with a grammar. */
#include "benchmarks/path/path_options.h"

#include "benchmarks/option_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
	OPTION_PLATFORM = 256,
	OPTION_DEVICE,
	OPTION_ONLY,
	OPTION_SIZE,
	OPTION_REPEAT,
	OPTION_MAX_BYTES,
	SIDE_OPTIONS_END,	/* those below are of a comparison only */
	OPTION_NATIVE_PLATFORM,
	OPTION_VGPU_PLATFORM,
	OPTION_NATIVE_ENV,
	OPTION_VGPU_ENV,
	OPTION_VGPU_BASIC_ENV,
	OPTION_OUT,
	OPTION_LAUNCHES,
	OPTION_TIMEOUT,
	OPTION_PROGRESS,
};

static const struct option long_options[] = {
	{ "platform", required_argument, NULL, OPTION_PLATFORM },
	{ "device", required_argument, NULL, OPTION_DEVICE },
	{ "only", required_argument, NULL, OPTION_ONLY },
	{ "size", required_argument, NULL, OPTION_SIZE },
	{ "repeat", required_argument, NULL, OPTION_REPEAT },
	{ "max-bytes", required_argument, NULL, OPTION_MAX_BYTES },
	{ "native-platform", required_argument, NULL, OPTION_NATIVE_PLATFORM },
	{ "vgpu-platform", required_argument, NULL, OPTION_VGPU_PLATFORM },
	{ "native-env", required_argument, NULL, OPTION_NATIVE_ENV },
	{ "vgpu-env", required_argument, NULL, OPTION_VGPU_ENV },
	{ "vgpu-basic-env", required_argument, NULL, OPTION_VGPU_BASIC_ENV },
	{ "out", required_argument, NULL, OPTION_OUT },
	{ "launches", required_argument, NULL, OPTION_LAUNCHES },
	{ "timeout-s", required_argument, NULL, OPTION_TIMEOUT },
	{ "progress", no_argument, NULL, OPTION_PROGRESS },
	{ 0 },
};

void kernel_measure_name(const struct bench_kernel *kernel, char *name, size_t size)
{
	snprintf(name, size, "kernel_%s", kernel->name);
}

static bool is_item(const char *item, size_t length, const char *name)
{
	return strlen(name) == length && !strncmp(item, name, length);
}

bool list_names(const char *list, const char *name, const char *group)
{
	if (!list)
		return true;
	for (;;) {
		size_t item = strcspn(list, ",");

		if (is_item(list, item, name) || is_item(list, item, group))
			return true;
		if (list[item] == '\0')
			return false;
		list += item + 1;
	}
}

int environment_parse(const char *text, struct environment *environment, char *reason, size_t reason_size)
{
	while (*text) {
		char *entry = malloc(strlen(text) + 1), *to = entry;

		if (!entry) {
			snprintf(reason, reason_size, "out of memory");
			return -ENOMEM;
		}
		for (; *text && *text != ','; text++) {
			if (text[0] == '\\' && (text[1] == ',' || text[1] == '\\'))
				text++;
			*to++ = *text;
		}
		*to = '\0';
		if (*text == ',')
			text++;
		if (!strchr(entry, '=') || entry[0] == '=') {
			snprintf(reason, reason_size, "'%s' is not NAME=VALUE; separate entries by commas, and "
				"write \\, for a comma inside a value", entry);
			free(entry);
			return -EINVAL;
		}
		if (environment->count == ENVIRONMENT_MAX) {
			snprintf(reason, reason_size, "more than %d variables for one side", ENVIRONMENT_MAX);
			free(entry);
			return -EINVAL;
		}
		environment->entry[environment->count++] = entry;
	}
	return 0;
}

void environment_finish(struct environment *environment)
{
	for (unsigned i = 0; i < environment->count; i++)
		free(environment->entry[i]);
	environment->count = 0;
}

static int parse_side(int option, struct side_options *side, char *reason, size_t reason_size)
{
	switch (option) {
	case OPTION_SIZE:
		return option_size(optarg, &side->size, reason, reason_size);
	case OPTION_REPEAT:
		return option_count(optarg, "--repeat", 1, 10000, &side->repeat, reason, reason_size);
	case OPTION_MAX_BYTES:
		return option_number(optarg, "--max-bytes", 0, UINT64_MAX, &side->max_bytes, reason,
			reason_size);
	case OPTION_PLATFORM:
		side->platform = optarg;
		break;
	case OPTION_DEVICE:
		side->device = optarg;
		break;
	case OPTION_ONLY:
		side->only = optarg;
		break;
	}
	return 0;
}

static int parse_compare(int option, struct compare_options *options, char *reason, size_t reason_size)
{
	switch (option) {
	case OPTION_NATIVE_ENV:
		return environment_parse(optarg, &options->native, reason, reason_size);
	case OPTION_VGPU_ENV:
		return environment_parse(optarg, &options->vgpu, reason, reason_size);
	case OPTION_VGPU_BASIC_ENV:
		return environment_parse(optarg, &options->vgpu_basic, reason, reason_size);
	case OPTION_LAUNCHES:
		return option_count(optarg, "--launches", 1, LAUNCHES_MAX / SET_TURNS, &options->launches, reason, reason_size);
	case OPTION_TIMEOUT:
		return option_count(optarg, "--timeout-s", 1, 3600, &options->timeout_s, reason, reason_size);
	case OPTION_NATIVE_PLATFORM:
		options->native_platform = optarg;
		break;
	case OPTION_VGPU_PLATFORM:
		options->vgpu_platform = optarg;
		break;
	case OPTION_OUT:
		options->out_path = optarg;
		break;
	case OPTION_PROGRESS:
		options->progress = true;
		break;
	}
	return 0;
}

/* `compare` is NULL for a side. */
static int parse(int argc, char **argv, struct side_options *side, struct compare_options *compare,
	char *reason, size_t reason_size)
{
	int option, err;

	option_begin();
	while (!(err = option_next(argc, argv, long_options, &option, reason, reason_size)) && option != OPTION_END) {
		if (option > SIDE_OPTIONS_END && !compare) {
			snprintf(reason, reason_size, "'%s' has no option '--%s', a comparison has it; see --help", argv[0],
				option_name(long_options, option));
			err = -EINVAL;
		} else if (option == OPTION_PLATFORM && compare) {
			snprintf(reason, reason_size, "a comparison has two sides: say --native-platform or "
				"--vgpu-platform");
			err = -EINVAL;
		} else if (option < SIDE_OPTIONS_END) {
			err = parse_side(option, side, reason, reason_size);
		} else {
			err = parse_compare(option, compare, reason, reason_size);
		}
		if (err)
			break;
	}
	return err;
}

static const struct side_options side_defaults = {
	.size = BENCH_MEDIUM,
	.repeat = 5,
	.max_bytes = UINT64_MAX,
};

int side_options_parse(int argc, char **argv, struct side_options *ret_options, char *reason,
	size_t reason_size)
{
	struct side_options options = side_defaults;
	int err = parse(argc, argv, &options, NULL, reason, reason_size);

	if (!err)
		*ret_options = options;
	return err;
}

int compare_options_parse(int argc, char **argv, struct compare_options *ret_options, char *reason,
	size_t reason_size)
{
	struct compare_options options = {
		.side = side_defaults,
		.out_path = "build/bench/path.json",
		.launches = 6,
		.timeout_s = 120,
	};
	int err = parse(argc, argv, &options.side, &options, reason, reason_size);

	if (err)
		compare_options_finish(&options);
	else
		*ret_options = options;
	return err;
}

void compare_options_finish(struct compare_options *options)
{
	environment_finish(&options->native);
	environment_finish(&options->vgpu);
	environment_finish(&options->vgpu_basic);
}
