/* SPDX-License-Identifier: MIT */
/* What one client process is to do. */
#ifndef BENCHMARKS_FAIRNESS_CLIENT_OPTIONS_H
#define BENCHMARKS_FAIRNESS_CLIENT_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "benchmarks/fairness/phases.h"

#define CLIENT_QUEUES_MAX 256
#define CLIENT_THREADS_MAX 64
#define CLIENT_DEPTH_MAX 4096

struct load;

struct client_options {
	const struct load *load;
	const char *platform;	/* NULL: any */
	const char *go_path;	/* holds "BEGIN_NS END_NS" once all are to begin; see load.h */
	const char *ready_path;	/* made once this client can begin */
	const char *out_path;
	uint32_t loops;		/* of a kernel */
	unsigned batch;		/* kernels that are flushed and waited for together */
	unsigned depth;		/* batches in flight */
	unsigned queues;	/* that the batches take turns on */
	unsigned threads;
	unsigned duty_percent;	/* how much of each thread's time is burnt */
	uint64_t period_ns;	/* of frames */
	uint64_t tell_ns;	/* how often to say on standard output what is done; 0 = never */
	struct phase_plan plan;
};

/* argv[0] is the verb. 0, or -EINVAL with one sentence in `reason`. The options point into argv. */
int client_options_parse(int argc, char **argv, struct client_options *ret_options, char *reason, size_t reason_size);

#endif
