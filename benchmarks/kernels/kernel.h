/* SPDX-License-Identifier: MIT */
/*
 * What a benchmark kernel is: a const table of sizes and operations, driven by the one runner.
 *
 * A kernel's file holds its host side and its CPU reference; the OpenCL source lies beside it
 * (NAME.cl). Every repetition must compute the whole output anew from unchanged inputs: the runner
 * fills the output buffer with a pattern before the first and before the last repetition, so that a
 * launch which never happened can not pass on the result of an earlier one.
 */
#ifndef BENCHMARKS_KERNELS_KERNEL_H
#define BENCHMARKS_KERNELS_KERNEL_H

#include "benchmarks/session.h"

#define BENCH_PARAMS_MAX 3
#define BENCH_EVENTS_MAX 264

enum bench_size {
	BENCH_SMALL,	/* fits 256 MB of RAM and a slow emulated CPU */
	BENCH_MEDIUM,	/* fits 256 MB of RAM */
	BENCH_LARGE,	/* wants about 1 GB */
	BENCH_SIZES,
};

struct bench_param {
	const char *name;	/* NULL: no further parameter */
	const char *help;
	uint32_t value[BENCH_SIZES];
	uint32_t min, max;
};

/* The first word of the result that is not what the CPU reference says. */
struct mismatch {
	bool found;
	size_t index;
	char want[40];
	char got[40];
};

struct bench_kernel;

/* One kernel on one device with one set of parameters. */
struct bench_run {
	const struct bench_kernel *kernel;
	struct session cl;
	uint32_t param[BENCH_PARAMS_MAX];
	uint64_t seed;

	/* Set by setup. The state is the kernel's own, from session_host_memory. */
	void *state;
	cl_mem output;
	size_t output_words;		/* 32-bit words of output; all of them are verified */

	uint32_t *result;		/* output_words, filled by fetch, before verify */
	struct mismatch mismatch;	/* set by verify */

	/* The commands of the current repetition, by bench_event; released by the runner. */
	cl_event events[BENCH_EVENTS_MAX];
	unsigned event_count;
};

/* Failures are noted in run->cl and end the run; no operation returns one. All are required. */
struct bench_kernel {
	const char *name;
	const char *summary;
	const char *unit;	/* of throughput */
	struct bench_param params[BENCH_PARAMS_MAX];

	/* Makes inputs, output and program. May leave uploads under way, ordered by events. */
	void (*setup)(struct bench_run *run);
	/* Enqueues one repetition, with a bench_event for each command; does not wait. */
	void (*enqueue)(struct bench_run *run);
	/* Reads the output into run->result. Called after everything enqueued has finished. */
	void (*fetch)(struct bench_run *run);
	/* Compares run->result with the CPU reference. */
	void (*verify)(struct bench_run *run);
	/* How many units one repetition is, for one second: 1e9 bytes are 1 GB/s. */
	double (*work)(const struct bench_run *run);
	/* Releases what the session does not own (events kept over repetitions). Also after a failure. */
	void (*teardown)(struct bench_run *run);
};

extern const struct bench_kernel *const bench_kernels[];
extern const unsigned bench_kernel_count;

const struct bench_kernel *bench_kernel_find(const char *name);

/* A place for the event of the next command of this repetition; its address stays valid. */
cl_event *bench_event(struct bench_run *run);

/* The comparisons of verify. Both note the first mismatch only; true: they agree. */
bool bench_expect_u32(struct bench_run *run, size_t index, uint32_t want);
/* The word as a float; NAN never agrees. */
bool bench_expect_float(struct bench_run *run, size_t index, double want, double tolerance);

/*
 * Declares `symbol`, the zero-terminated text of the OpenCL source at `path` (from the top of the
 * tree, where the compiler runs).
 */
#define BENCH_SOURCE(symbol, path) \
	extern const char symbol[]; \
	__asm__(".pushsection .rodata\n" \
		".globl " #symbol "\n" \
		".hidden " #symbol "\n" \
		#symbol ":\n" \
		".incbin \"" path "\"\n" \
		".byte 0\n" \
		".popsection\n")

#endif
