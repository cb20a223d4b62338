/* SPDX-License-Identifier: MIT */
/* Runs one benchmark kernel from setup to verdict and keeps its samples. */
#ifndef BENCHMARKS_RUNNER_H
#define BENCHMARKS_RUNNER_H

#include "benchmarks/kernels/kernel.h"

struct bench_request {
	const struct bench_kernel *kernel;
	uint32_t param[BENCH_PARAMS_MAX];
	uint64_t seed;
	unsigned warmup, repeat;	/* repeat >= 1 */
	bool inject_fault;		/* corrupts one word of the result before it is verified */
};

struct bench_result {
	const struct bench_kernel *kernel;
	uint32_t param[BENCH_PARAMS_MAX];
	bool failed;			/* then `failure` says why, and the rest is not set */
	char failure[SESSION_LOG_MAX];
	struct mismatch mismatch;	/* not found: verified */
	double build_ms;
	double work;			/* units of one repetition, per second */
	unsigned repeat;
	double *wall_us;		/* from the first enqueue until clFinish returns */
	double *event_us;		/* the repetition's commands by event profiling, added up */
};

/* Fills ret_result in every case; bench_result_finish releases it. */
void bench_execute(const struct device_choice *choice, const struct bench_request *request,
	struct bench_result *ret_result);
void bench_result_finish(struct bench_result *result);

static inline bool bench_verified(const struct bench_result *result)
{
	return !result->failed && !result->mismatch.found;
}

/* "n=512 tile=16" */
void bench_describe_size(const struct bench_kernel *kernel, const uint32_t *param, char *text, size_t size);

#endif
