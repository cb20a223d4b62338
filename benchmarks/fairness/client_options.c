// SPDX-License-Identifier: MIT
/* One table, as in the other programs of this folder. */
#include "benchmarks/fairness/client_options.h"

#include "benchmarks/fairness/load.h"
#include "benchmarks/option_reader.h"

#include <errno.h>
#include <stdio.h>

enum option_id {
	OPTION_LOAD = 256,
	OPTION_PLATFORM,
	OPTION_GO,
	OPTION_READY,
	OPTION_OUT,
	OPTION_LOOPS,
	OPTION_BATCH,
	OPTION_DEPTH,
	OPTION_QUEUES,
	OPTION_THREADS,
	OPTION_DUTY,
	OPTION_PERIOD,
	OPTION_PHASE,
	OPTION_TELL,
};

static const struct option long_options[] = {
	{ "load", required_argument, NULL, OPTION_LOAD },
	{ "platform", required_argument, NULL, OPTION_PLATFORM },
	{ "go", required_argument, NULL, OPTION_GO },
	{ "ready", required_argument, NULL, OPTION_READY },
	{ "out", required_argument, NULL, OPTION_OUT },
	{ "loops", required_argument, NULL, OPTION_LOOPS },
	{ "batch", required_argument, NULL, OPTION_BATCH },
	{ "depth", required_argument, NULL, OPTION_DEPTH },
	{ "queues", required_argument, NULL, OPTION_QUEUES },
	{ "threads", required_argument, NULL, OPTION_THREADS },
	{ "duty", required_argument, NULL, OPTION_DUTY },
	{ "period-us", required_argument, NULL, OPTION_PERIOD },
	{ "phase", required_argument, NULL, OPTION_PHASE },
	{ "tell-ms", required_argument, NULL, OPTION_TELL },
	{ 0 },
};

static int parse_load(struct client_options *options, char *reason, size_t reason_size)
{
	options->load = load_find(optarg);
	if (options->load)
		return 0;
	snprintf(reason, reason_size, "there is no load '%s'; say one of %s", optarg, load_names);
	return -EINVAL;
}

static int parse_number(int option, struct client_options *options, char *reason, size_t reason_size)
{
	uint64_t number = 0;
	int err = 0;

	switch (option) {
	case OPTION_LOOPS:
		err = option_number(optarg, "--loops", 1, UINT32_MAX, &number, reason, reason_size);
		options->loops = (uint32_t)number;
		break;
	case OPTION_BATCH:
		return option_count(optarg, "--batch", 1, 100000, &options->batch, reason, reason_size);
	case OPTION_DEPTH:
		return option_count(optarg, "--depth", 1, CLIENT_DEPTH_MAX, &options->depth, reason, reason_size);
	case OPTION_QUEUES:
		return option_count(optarg, "--queues", 1, CLIENT_QUEUES_MAX, &options->queues, reason, reason_size);
	case OPTION_THREADS:
		return option_count(optarg, "--threads", 1, CLIENT_THREADS_MAX, &options->threads, reason, reason_size);
	case OPTION_DUTY:
		return option_count(optarg, "--duty", 0, 100, &options->duty_percent, reason, reason_size);
	case OPTION_PERIOD:
		err = option_number(optarg, "--period-us", 100, 10000000, &number, reason, reason_size);
		options->period_ns = number * 1000;
		break;
	case OPTION_TELL:
		err = option_number(optarg, "--tell-ms", 1, 3600000, &number, reason, reason_size);
		options->tell_ns = number * 1000000;
		break;
	}
	return err;
}

/* K/COUNT/MS */
static int parse_phase(struct phase_plan *plan, char *reason, size_t reason_size)
{
	unsigned active, count, phase_ms;
	int length = 0;

	if (sscanf(optarg, "%3u/%3u/%6u%n", &active, &count, &phase_ms, &length) != 3 || optarg[length] || count == 0 ||
	    count > PHASES_MAX || active >= count || phase_ms < 20) {
		snprintf(reason, reason_size, "--phase is '%s', but must be K/COUNT/MS: at work in phase K, from 0 on, of COUNT, up to "
			"%d, that take MS milliseconds each, at least 20", optarg, PHASES_MAX);
		return -EINVAL;
	}
	*plan = (struct phase_plan){ .phase_ns = phase_ms * UINT64_C(1000000), .count = count, .active = active };
	return 0;
}

static int parse_one(int option, struct client_options *options, char *reason, size_t reason_size)
{
	switch (option) {
	case OPTION_LOAD:
		return parse_load(options, reason, reason_size);
	case OPTION_PHASE:
		return parse_phase(&options->plan, reason, reason_size);
	case OPTION_PLATFORM:
		options->platform = optarg;
		return 0;
	case OPTION_GO:
		options->go_path = optarg;
		return 0;
	case OPTION_READY:
		options->ready_path = optarg;
		return 0;
	case OPTION_OUT:
		options->out_path = optarg;
		return 0;
	}
	return parse_number(option, options, reason, reason_size);
}

int client_options_parse(int argc, char **argv, struct client_options *ret_options, char *reason, size_t reason_size)
{
	struct client_options options = {
		.loops = 1,
		.batch = 1,
		.depth = 2,
		.queues = 1,
		.threads = 1,
		.duty_percent = 100,
		.period_ns = 16666667,
	};
	int option, err;

	option_begin();
	while (!(err = option_next(argc, argv, long_options, &option, reason, reason_size)) && option != OPTION_END) {
		err = parse_one(option, &options, reason, reason_size);
		if (err)
			return err;
	}
	if (err)
		return err;
	if (!options.load || !options.go_path || !options.ready_path || !options.out_path) {
		snprintf(reason, reason_size, "a client needs --load, --go, --ready and --out; see --help");
		return -EINVAL;
	}
	if (options.depth < options.queues)
		options.depth = options.queues;
	*ret_options = options;
	return 0;
}
