// SPDX-License-Identifier: MIT
/*
 * c = a + b over floats: memory bandwidth.
 *
 * Exercises blocking write, non-blocking write on a second queue ordered by a wait list, a local size
 * that the implementation chooses, blocking read.
 */
#include "benchmarks/kernels/kernel.h"
#include "benchmarks/prng.h"

#include <string.h>

BENCH_SOURCE(vecadd_cl, "benchmarks/kernels/vecadd.cl");

struct state {
	cl_kernel kernel;
	cl_event uploaded;
};

static void setup(struct bench_run *run)
{
	struct session *cl = &run->cl;
	size_t n = run->param[0], bytes = n * sizeof(float);
	struct state *state = run->state = session_host_memory(cl, 1, sizeof(*state));
	float *a = session_host_memory(cl, n, sizeof(*a));
	float *b = session_host_memory(cl, n, sizeof(*b));
	cl_mem a_buffer = session_buffer(cl, CL_MEM_READ_ONLY, bytes, NULL);
	cl_mem b_buffer = session_buffer(cl, CL_MEM_READ_ONLY, bytes, NULL);

	run->output = session_buffer(cl, CL_MEM_WRITE_ONLY, bytes, NULL);
	run->output_words = n;
	if (cl->failed)
		return;
	for (size_t i = 0; i < n; i++) {
		a[i] = prng_float(run->seed, 0, i);
		b[i] = prng_float(run->seed, 1, i);
	}
	/* b stays untouched until the session closes, so the upload may take its time. */
	session_write(cl, cl->upload_queue, b_buffer, CL_FALSE, 0, bytes, b, (struct wait_list){ 0 },
		&state->uploaded);
	session_flush(cl, cl->upload_queue);
	session_write(cl, cl->queue, a_buffer, CL_TRUE, 0, bytes, a, (struct wait_list){ 0 }, NULL);

	state->kernel = session_kernel(cl, session_build(cl, vecadd_cl, ""), "vecadd");
	session_arg_buffer(cl, state->kernel, 0, a_buffer);
	session_arg_buffer(cl, state->kernel, 1, b_buffer);
	session_arg_buffer(cl, state->kernel, 2, run->output);
}

static void enqueue(struct bench_run *run)
{
	struct state *state = run->state;
	const size_t global = run->param[0];

	session_launch(&run->cl, state->kernel, 1, &global, NULL, (struct wait_list){ 1, &state->uploaded },
		bench_event(run));
}

static void fetch(struct bench_run *run)
{
	session_read(&run->cl, run->cl.queue, run->output, CL_TRUE, 0, run->output_words * sizeof(uint32_t),
		run->result, (struct wait_list){ 0 }, NULL);
}

/* One addition is correctly rounded everywhere (OpenCL C 3.0 §7.4), so equality is bit by bit. */
static void verify(struct bench_run *run)
{
	for (size_t i = 0; i < run->output_words; i++) {
		float sum = prng_float(run->seed, 0, i) + prng_float(run->seed, 1, i);
		uint32_t want;

		memcpy(&want, &sum, sizeof(want));
		if (!bench_expect_u32(run, i, want))
			return;
	}
}

static double work(const struct bench_run *run)
{
	return 3.0 * sizeof(float) * run->param[0] / 1e9;
}

static void teardown(struct bench_run *run)
{
	struct state *state = run->state;

	if (state && state->uploaded)
		clReleaseEvent(state->uploaded);
}

extern const struct bench_kernel bench_vecadd;
const struct bench_kernel bench_vecadd = {
	.name = "vecadd",
	.summary = "sum of two vectors of floats",
	.unit = "GB/s",
	.params = {
		{ "n", "elements", { 1 << 16, 1 << 20, 1 << 24 }, 1, 1 << 28 },
	},
	.setup = setup,
	.enqueue = enqueue,
	.fetch = fetch,
	.verify = verify,
	.work = work,
	.teardown = teardown,
};
