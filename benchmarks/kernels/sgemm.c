// SPDX-License-Identifier: MIT
/*
 * C = A B over square matrices of floats: arithmetic with reuse through local memory.
 *
 * Exercises CL_MEM_COPY_HOST_PTR, writing through a map, build options, static local memory,
 * clGetKernelWorkGroupInfo (it decides the tile), non-blocking read.
 */
#include "benchmarks/kernels/kernel.h"
#include "benchmarks/prng.h"

#include <float.h>
#include <math.h>

BENCH_SOURCE(sgemm_cl, "benchmarks/kernels/sgemm.cl");

struct state {
	cl_kernel kernel;
	size_t tile;
};

/* Builds for the wanted tile, or for the largest half, quarter ... of it that the device can run. */
static void build(struct bench_run *run, struct state *state)
{
	struct session *cl = &run->cl;

	for (state->tile = run->param[1]; !cl->failed; state->tile /= 2) {
		char options[64];

		snprintf(options, sizeof(options), "-cl-mad-enable -DTILE=%zu", state->tile);
		state->kernel = session_kernel(cl, session_build(cl, sgemm_cl, options), "sgemm");
		if (state->tile == 1 || session_group_size_max(cl, state->kernel) >= state->tile * state->tile)
			return;
	}
}

static void setup(struct bench_run *run)
{
	struct session *cl = &run->cl;
	size_t n = run->param[0], bytes = n * n * sizeof(float);
	struct state *state = run->state = session_host_memory(cl, 1, sizeof(*state));
	float *a = session_host_memory(cl, n * n, sizeof(*a)), *b;
	cl_mem a_buffer, b_buffer;

	if (cl->failed)
		return;
	for (size_t i = 0; i < n * n; i++)
		a[i] = prng_float(run->seed, 0, i);
	a_buffer = session_buffer(cl, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, bytes, a);
	b_buffer = session_buffer(cl, CL_MEM_READ_ONLY, bytes, NULL);
	run->output = session_buffer(cl, CL_MEM_WRITE_ONLY, bytes, NULL);
	run->output_words = n * n;

	b = session_map(cl, b_buffer, CL_MAP_WRITE_INVALIDATE_REGION, bytes);
	for (size_t i = 0; b && i < n * n; i++)
		b[i] = prng_float(run->seed, 1, i);
	session_unmap(cl, b_buffer, b, NULL);

	build(run, state);
	session_arg_buffer(cl, state->kernel, 0, a_buffer);
	session_arg_buffer(cl, state->kernel, 1, b_buffer);
	session_arg_buffer(cl, state->kernel, 2, run->output);
	session_arg_u32(cl, state->kernel, 3, (uint32_t)n);
}

static void enqueue(struct bench_run *run)
{
	struct state *state = run->state;
	size_t side = (run->param[0] + state->tile - 1) / state->tile * state->tile;

	session_launch(&run->cl, state->kernel, 2, (size_t[]){ side, side },
		(size_t[]){ state->tile, state->tile }, (struct wait_list){ 0 }, bench_event(run));
}

static void fetch(struct bench_run *run)
{
	cl_event read = NULL;

	session_read(&run->cl, run->cl.queue, run->output, CL_FALSE, 0, run->output_words * sizeof(uint32_t),
		run->result, (struct wait_list){ 0 }, &read);
	session_wait(&run->cl, 1, &read);
	if (read)
		clReleaseEvent(read);
}

/*
 * Rows of C in double. Summing n products of magnitude below 1 in float, in any order and with or
 * without fused multiply-adds, errs by about sqrt(n) * |sum| * eps, |sum| being about sqrt(n) / 3; the
 * tolerance leaves that a factor of sqrt(n).
 */
static void verify(struct bench_run *run)
{
	size_t n = run->param[0];
	double tolerance = (double)n * sqrt((double)n) * FLT_EPSILON;
	float *b = session_host_memory(&run->cl, n * n, sizeof(*b));
	double *row = session_host_memory(&run->cl, n, sizeof(*row));

	if (run->cl.failed)
		return;
	for (size_t i = 0; i < n * n; i++)
		b[i] = prng_float(run->seed, 1, i);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++)
			row[j] = 0;
		for (size_t k = 0; k < n; k++) {
			double a = prng_float(run->seed, 0, i * n + k);

			for (size_t j = 0; j < n; j++)
				row[j] += a * b[k * n + j];
		}
		for (size_t j = 0; j < n; j++)
			if (!bench_expect_float(run, i * n + j, row[j], tolerance))
				return;
	}
}

static double work(const struct bench_run *run)
{
	double n = run->param[0];

	return 2 * n * n * n / 1e9;
}

static void teardown(struct bench_run *run)
{
	(void)run;	/* the session owns everything */
}

extern const struct bench_kernel bench_sgemm;
const struct bench_kernel bench_sgemm = {
	.name = "sgemm",
	.summary = "product of two square matrices of floats, tiled in local memory",
	.unit = "GFLOP/s",
	.params = {
		{ "n", "rows and columns", { 128, 256, 1024 }, 1, 8192 },
		{ "tile", "side of a tile; halved until the device can run it", { 16, 16, 16 }, 1, 32 },
	},
	.setup = setup,
	.enqueue = enqueue,
	.fetch = fetch,
	.verify = verify,
	.work = work,
	.teardown = teardown,
};
