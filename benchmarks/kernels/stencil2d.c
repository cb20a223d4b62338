// SPDX-License-Identifier: MIT
/*
 * Heat diffusion on a grid by a five-point stencil, several steps per repetition: many dependent
 * launches.
 *
 * Exercises fill, writes at an offset, copy, a chain of wait lists, arguments changed between launches
 * that are still queued (OpenCL 3.0 §5.9.2: an enqueued kernel keeps those it was enqueued with).
 */
#include "benchmarks/kernels/kernel.h"
#include "benchmarks/prng.h"

#include <math.h>
#include <string.h>

BENCH_SOURCE(stencil2d_cl, "benchmarks/kernels/stencil2d.cl");

#define AMBIENT 0.5f

struct state {
	cl_kernel kernel;
	cl_mem start, other;	/* the initial grid; the one that takes turns with run->output */
	size_t local[2];
};

/* The upper half is random, the lower one ambient. */
static float initial(const struct bench_run *run, size_t i)
{
	size_t n = run->param[0];

	return i < n * (n / 2) ? prng_float(run->seed, 0, i) : AMBIENT;
}

static void setup(struct bench_run *run)
{
	struct session *cl = &run->cl;
	size_t n = run->param[0], bytes = n * n * sizeof(float), half = n * (n / 2);
	struct state *state = run->state = session_host_memory(cl, 1, sizeof(*state));
	float *random = session_host_memory(cl, half, sizeof(*random));
	float ambient = AMBIENT;
	uint32_t ambient_bits;
	size_t most;

	if (cl->failed)
		return;
	state->start = session_buffer(cl, CL_MEM_READ_WRITE, bytes, NULL);
	state->other = session_buffer(cl, CL_MEM_READ_WRITE, bytes, NULL);
	run->output = session_buffer(cl, CL_MEM_READ_WRITE, bytes, NULL);
	run->output_words = n * n;

	for (size_t i = 0; i < half; i++)
		random[i] = initial(run, i);
	memcpy(&ambient_bits, &ambient, sizeof(ambient_bits));
	session_fill_u32(cl, state->start, ambient_bits, 0, bytes, (struct wait_list){ 0 }, NULL);
	/* In two pieces, the later one first: the offset is what puts them right. */
	session_write(cl, cl->queue, state->start, CL_FALSE, half / 2 * sizeof(*random),
		(half - half / 2) * sizeof(*random), random + half / 2, (struct wait_list){ 0 }, NULL);
	session_write(cl, cl->queue, state->start, CL_TRUE, 0, half / 2 * sizeof(*random), random,
		(struct wait_list){ 0 }, NULL);

	state->kernel = session_kernel(cl, session_build(cl, stencil2d_cl, "-cl-mad-enable"), "stencil2d");
	session_arg_u32(cl, state->kernel, 2, (uint32_t)n);
	most = session_group_size_max(cl, state->kernel);
	state->local[0] = most >= 32 ? 32 : 1;
	state->local[1] = most >= 128 ? 4 : 1;
}

static void enqueue(struct bench_run *run)
{
	struct session *cl = &run->cl;
	struct state *state = run->state;
	size_t n = run->param[0];
	uint32_t steps = run->param[1];
	const size_t global[2] = {
		(n + state->local[0] - 1) / state->local[0] * state->local[0],
		(n + state->local[1] - 1) / state->local[1] * state->local[1],
	};
	/* Begin in the grid from which an even number of turns ends in the output. */
	cl_mem from = steps % 2 ? state->other : run->output;
	cl_mem to = steps % 2 ? run->output : state->other;
	cl_event *before = bench_event(run);

	session_copy(cl, state->start, from, n * n * sizeof(float), (struct wait_list){ 0 }, before);
	for (uint32_t step = 0; step < steps; step++) {
		cl_event *done = bench_event(run);
		cl_mem turn = from;

		session_arg_buffer(cl, state->kernel, 0, from);
		session_arg_buffer(cl, state->kernel, 1, to);
		session_launch(cl, state->kernel, 2, global, state->local, (struct wait_list){ 1, before }, done);
		before = done;
		from = to;
		to = turn;
	}
}

static void fetch(struct bench_run *run)
{
	size_t half = run->output_words / 2;

	session_read(&run->cl, run->cl.queue, run->output, CL_FALSE, half * sizeof(uint32_t),
		(run->output_words - half) * sizeof(uint32_t), run->result + half, (struct wait_list){ 0 },
		NULL);
	session_read(&run->cl, run->cl.queue, run->output, CL_TRUE, 0, half * sizeof(uint32_t), run->result,
		(struct wait_list){ 0 }, NULL);
}

static void step_reference(const float *from, float *to, size_t n)
{
	memcpy(to, from, n * n * sizeof(*to));
	for (size_t y = 1; y + 1 < n; y++)
		for (size_t i = y * n + 1; i < y * n + n - 1; i++)
			to[i] = from[i] + 0.2f * (from[i - n] + from[i + n] + from[i - 1] + from[i + 1] -
				4.0f * from[i]);
}

/*
 * Each step rounds a few times at magnitudes below 4 (an eps of 2.4e-7 each, contracted or not) and
 * does not amplify earlier errors, being a convex mean.
 */
static void verify(struct bench_run *run)
{
	size_t n = run->param[0];
	double tolerance = 1e-6 * (run->param[1] + 1);
	float *from = session_host_memory(&run->cl, n * n, sizeof(*from));
	float *to = session_host_memory(&run->cl, n * n, sizeof(*to));

	if (run->cl.failed)
		return;
	for (size_t i = 0; i < n * n; i++)
		from[i] = initial(run, i);
	for (uint32_t step = 0; step < run->param[1]; step++) {
		float *turn = from;

		step_reference(from, to, n);
		from = to;
		to = turn;
	}
	for (size_t i = 0; i < n * n; i++)
		if (!bench_expect_float(run, i, (double)from[i], tolerance))
			return;
}

/* Each cell is read and written once by the copy and by each step; neighbours come from caches. */
static double work(const struct bench_run *run)
{
	double n = run->param[0];

	return 2.0 * sizeof(float) * n * n * (run->param[1] + 1) / 1e9;
}

static void teardown(struct bench_run *run)
{
	(void)run;	/* the session owns everything */
}

extern const struct bench_kernel bench_stencil2d;
const struct bench_kernel bench_stencil2d = {
	.name = "stencil2d",
	.summary = "steps of heat diffusion on a grid, each waiting for the one before",
	.unit = "GB/s",
	.params = {
		{ "n", "cells along a side", { 256, 1024, 4096 }, 4, 16384 },
		{ "steps", "steps per repetition", { 8, 16, 16 }, 1, 256 },
	},
	.setup = setup,
	.enqueue = enqueue,
	.fetch = fetch,
	.verify = verify,
	.work = work,
	.teardown = teardown,
};
