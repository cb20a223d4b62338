// SPDX-License-Identifier: MIT
/*
 * Sum of many integers: a tree in local memory, then a final launch that waits for it.
 *
 * Exercises non-blocking writes in pieces, local memory as a kernel argument, local sizes from
 * clGetKernelWorkGroupInfo, two kernels of one program ordered by an event, result through a map.
 */
#include "benchmarks/kernels/kernel.h"
#include "benchmarks/prng.h"

#include <string.h>

BENCH_SOURCE(reduce_cl, "benchmarks/kernels/reduce.cl");

#define PIECES 4
#define LOCAL_MAX 256

struct state {
	cl_kernel groups_kernel, final_kernel;
	size_t groups_local, final_local;
};

/* The largest power of two that the device can run and that is worth while. */
static size_t local_size(struct session *cl, cl_kernel kernel)
{
	size_t most = session_group_size_max(cl, kernel), size = 1;

	while (size * 2 <= most && size * 2 <= LOCAL_MAX)
		size *= 2;
	return size;
}

static void upload(struct bench_run *run, cl_mem to, const uint32_t *words)
{
	struct session *cl = &run->cl;
	size_t n = run->param[0], piece = (n + PIECES - 1) / PIECES;
	cl_event written[PIECES];
	cl_uint count = 0;

	for (size_t start = 0; start < n; start += piece) {
		size_t length = n - start < piece ? n - start : piece;

		session_write(cl, cl->queue, to, CL_FALSE, start * sizeof(*words), length * sizeof(*words),
			words + start, (struct wait_list){ 0 }, &written[count]);
		if (cl->failed)
			break;
		count++;
	}
	session_wait(cl, count, written);
	for (cl_uint i = 0; i < count; i++)
		clReleaseEvent(written[i]);
}

static void setup(struct bench_run *run)
{
	struct session *cl = &run->cl;
	size_t n = run->param[0], groups = run->param[1];
	struct state *state = run->state = session_host_memory(cl, 1, sizeof(*state));
	uint32_t *words = session_host_memory(cl, n, sizeof(*words));
	cl_mem input = session_buffer(cl, CL_MEM_READ_ONLY, n * sizeof(*words), NULL);
	cl_program program;

	run->output_words = groups + 1;
	run->output = session_buffer(cl, CL_MEM_READ_WRITE, run->output_words * sizeof(uint32_t), NULL);
	if (cl->failed)
		return;
	for (size_t i = 0; i < n; i++)
		words[i] = prng_u32(run->seed, 0, i);
	upload(run, input, words);

	program = session_build(cl, reduce_cl, "");
	state->groups_kernel = session_kernel(cl, program, "sum_groups");
	state->final_kernel = session_kernel(cl, program, "sum_final");
	state->groups_local = local_size(cl, state->groups_kernel);
	state->final_local = local_size(cl, state->final_kernel);

	session_arg_buffer(cl, state->groups_kernel, 0, input);
	session_arg_u32(cl, state->groups_kernel, 1, (uint32_t)n);
	session_arg_buffer(cl, state->groups_kernel, 2, run->output);
	session_arg_local(cl, state->groups_kernel, 3, state->groups_local * sizeof(uint32_t));
	session_arg_u32(cl, state->final_kernel, 0, (uint32_t)groups);
	session_arg_buffer(cl, state->final_kernel, 1, run->output);
	session_arg_local(cl, state->final_kernel, 2, state->final_local * sizeof(uint32_t));
}

static void enqueue(struct bench_run *run)
{
	struct state *state = run->state;
	size_t global = run->param[1] * state->groups_local;
	cl_event *summed = bench_event(run);

	session_launch(&run->cl, state->groups_kernel, 1, &global, &state->groups_local,
		(struct wait_list){ 0 }, summed);
	session_launch(&run->cl, state->final_kernel, 1, &state->final_local, &state->final_local,
		(struct wait_list){ 1, summed }, bench_event(run));
}

static void fetch(struct bench_run *run)
{
	size_t bytes = run->output_words * sizeof(uint32_t);
	void *mapped = session_map(&run->cl, run->output, CL_MAP_READ, bytes);

	if (mapped)
		memcpy(run->result, mapped, bytes);
	session_unmap(&run->cl, run->output, mapped, NULL);
	session_finish(&run->cl);
}

/* Addition modulo 2^32 has one result in any order. */
static void verify(struct bench_run *run)
{
	struct state *state = run->state;
	size_t n = run->param[0], groups = run->param[1], stride = groups * state->groups_local;
	uint32_t total = 0;

	for (size_t group = 0; group < groups; group++) {
		uint32_t sum = 0;

		for (size_t start = group * state->groups_local; start < n; start += stride)
			for (size_t i = start; i < start + state->groups_local && i < n; i++)
				sum += prng_u32(run->seed, 0, i);
		total += sum;
		if (!bench_expect_u32(run, 1 + group, sum))
			return;
	}
	bench_expect_u32(run, 0, total);
}

static double work(const struct bench_run *run)
{
	return (double)sizeof(uint32_t) * run->param[0] / 1e9;
}

static void teardown(struct bench_run *run)
{
	(void)run;	/* the session owns everything */
}

extern const struct bench_kernel bench_reduce;
const struct bench_kernel bench_reduce = {
	.name = "reduce",
	.summary = "sum of integers by a tree in local memory, in two launches",
	.unit = "GB/s",
	.params = {
		{ "n", "integers", { 1 << 18, 1 << 22, 1 << 25 }, 1, 1 << 28 },
		{ "groups", "work groups of the first launch", { 16, 64, 256 }, 1, 65536 },
	},
	.setup = setup,
	.enqueue = enqueue,
	.fetch = fetch,
	.verify = verify,
	.work = work,
	.teardown = teardown,
};
