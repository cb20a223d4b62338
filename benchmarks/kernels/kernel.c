// SPDX-License-Identifier: MIT
/* The table of kernels, in the order they run and are shown. */
#include "benchmarks/kernels/kernel.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

extern const struct bench_kernel bench_vecadd, bench_sgemm, bench_reduce, bench_stencil2d, bench_nbody,
	bench_sha256;

const struct bench_kernel *const bench_kernels[] = {
	&bench_vecadd, &bench_sgemm, &bench_reduce, &bench_stencil2d, &bench_nbody, &bench_sha256,
};
const unsigned bench_kernel_count = sizeof(bench_kernels) / sizeof(bench_kernels[0]);

const struct bench_kernel *bench_kernel_find(const char *name)
{
	for (unsigned i = 0; i < bench_kernel_count; i++)
		if (!strcmp(bench_kernels[i]->name, name))
			return bench_kernels[i];
	return NULL;
}

cl_event *bench_event(struct bench_run *run)
{
	if (run->event_count == BENCH_EVENTS_MAX) {
		session_fail(&run->cl, "one repetition has more than %d commands", BENCH_EVENTS_MAX);
		return &run->events[BENCH_EVENTS_MAX - 1];
	}
	return &run->events[run->event_count++];
}

bool bench_expect_u32(struct bench_run *run, size_t index, uint32_t want)
{
	struct mismatch *mismatch = &run->mismatch;
	uint32_t got = run->result[index];

	if (got == want)
		return true;
	if (!mismatch->found) {
		mismatch->found = true;
		mismatch->index = index;
		snprintf(mismatch->want, sizeof(mismatch->want), "0x%08" PRIx32, want);
		snprintf(mismatch->got, sizeof(mismatch->got), "0x%08" PRIx32, got);
	}
	return false;
}

bool bench_expect_float(struct bench_run *run, size_t index, double want, double tolerance)
{
	struct mismatch *mismatch = &run->mismatch;
	float got;

	memcpy(&got, &run->result[index], sizeof(got));
	if (fabs((double)got - want) <= tolerance)
		return true;
	if (!mismatch->found) {
		mismatch->found = true;
		mismatch->index = index;
		snprintf(mismatch->want, sizeof(mismatch->want), "%.9g", want);
		snprintf(mismatch->got, sizeof(mismatch->got), "%.9g", (double)got);
	}
	return false;
}
