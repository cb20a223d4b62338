/* SPDX-License-Identifier: MIT */
/* Runs one side in a process of its own and takes in what it prints. */
#ifndef BENCHMARKS_PATH_LAUNCH_H
#define BENCHMARKS_PATH_LAUNCH_H

#include "benchmarks/path/results.h"

struct launch {
	const char *name;			/* of the side, for messages */
	const struct side_options *options;	/* its platform is that of the side */
	const struct environment *environment;	/* set in the process, in this order */
	const char *last_variable;		/* one more NAME=VALUE, or NULL */
	unsigned timeout_s;
};

/*
 * Adds the launch to `results`, of which a failed launch may leave a part. -EIO: the side failed,
 * -ETIME: it was killed after its time; -errno; `reason` is a sentence for the user. The process is
 * gone in every case.
 */
int launch_side(const struct launch *launch, struct side_results *results, char *reason, size_t reason_size);

#endif
