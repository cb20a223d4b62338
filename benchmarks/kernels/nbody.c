// SPDX-License-Identifier: MIT
/*
 * Gravity between all pairs of bodies: arithmetic with little memory.
 *
 * Exercises CL_MEM_ALLOC_HOST_PTR, unmap ordered by its event, local memory as an argument, a float
 * argument, build options with a value, vector types.
 */
#include "benchmarks/kernels/kernel.h"
#include "benchmarks/prng.h"

#include <math.h>

BENCH_SOURCE(nbody_cl, "benchmarks/kernels/nbody.cl");

#define SOFTENING 0.01
#define STEP_S 0.1
#define LOCAL_MAX 64
#define WORDS_PER_VECTOR 4

/* The usual count for one pair: 3 differences, 6 for the square, rsqrt as 2, 3 products, 6 to add up. */
#define FLOPS_PER_PAIR 20.0

struct state {
	cl_kernel kernel;
	size_t local;
	cl_event uploaded;
};

/* Word i of the input, as in nbody.cl: masses sum up to about 1, velocities are small. */
static float initial(const struct bench_run *run, size_t i)
{
	size_t n = run->param[0];
	float random = prng_float(run->seed, 0, i);

	if (i >= n * WORDS_PER_VECTOR)
		return i % WORDS_PER_VECTOR == 3 ? 0.0f : random * 0.125f;
	return i % WORDS_PER_VECTOR == 3 ? (1.0f + random * 0.5f) / (float)n : random;
}

static void setup(struct bench_run *run)
{
	struct session *cl = &run->cl;
	size_t n = run->param[0], words = 2 * n * WORDS_PER_VECTOR, bytes = words * sizeof(float);
	struct state *state = run->state = session_host_memory(cl, 1, sizeof(*state));
	cl_mem bodies = session_buffer(cl, CL_MEM_READ_ONLY | CL_MEM_ALLOC_HOST_PTR, bytes, NULL);
	float step_s = (float)STEP_S, *mapped;
	char options[64];

	run->output = session_buffer(cl, CL_MEM_WRITE_ONLY, bytes, NULL);
	run->output_words = words;
	if (cl->failed)
		return;
	mapped = session_map(cl, bodies, CL_MAP_WRITE, bytes);
	for (size_t i = 0; mapped && i < words; i++)
		mapped[i] = initial(run, i);
	session_unmap(cl, bodies, mapped, &state->uploaded);

	snprintf(options, sizeof(options), "-DSOFTENING=%.6ff -cl-mad-enable", SOFTENING);
	state->kernel = session_kernel(cl, session_build(cl, nbody_cl, options), "nbody");
	state->local = session_group_size_max(cl, state->kernel);
	if (state->local > LOCAL_MAX)
		state->local = LOCAL_MAX;
	session_arg_buffer(cl, state->kernel, 0, bodies);
	session_arg_buffer(cl, state->kernel, 1, run->output);
	session_arg_u32(cl, state->kernel, 2, (uint32_t)n);
	session_arg(cl, state->kernel, 3, sizeof(step_s), &step_s);
	session_arg_local(cl, state->kernel, 4, state->local * WORDS_PER_VECTOR * sizeof(float));
}

static void enqueue(struct bench_run *run)
{
	struct state *state = run->state;
	size_t global = (run->param[0] + state->local - 1) / state->local * state->local;

	session_launch(&run->cl, state->kernel, 1, &global, &state->local,
		(struct wait_list){ 1, &state->uploaded }, bench_event(run));
}

static void fetch(struct bench_run *run)
{
	session_read(&run->cl, run->cl.queue, run->output, CL_TRUE, 0, run->output_words * sizeof(uint32_t),
		run->result, (struct wait_list){ 0 }, NULL);
}

/* Velocity of body i after the step, in double. */
static void velocity_reference(const struct bench_run *run, const float *bodies, size_t i, double *velocity)
{
	size_t n = run->param[0];
	const float *own = &bodies[i * WORDS_PER_VECTOR];
	double acceleration[3] = { 0 };

	for (size_t j = 0; j < n; j++) {
		const float *other = &bodies[j * WORDS_PER_VECTOR];
		double to[3], square = SOFTENING, factor;

		for (int axis = 0; axis < 3; axis++) {
			to[axis] = (double)other[axis] - (double)own[axis];
			square += to[axis] * to[axis];
		}
		factor = (double)other[3] / (square * sqrt(square));
		for (int axis = 0; axis < 3; axis++)
			acceleration[axis] += to[axis] * factor;
	}
	for (int axis = 0; axis < 3; axis++)
		velocity[axis] = (double)bodies[(n + i) * WORDS_PER_VECTOR + (size_t)axis] +
			acceleration[axis] * STEP_S;
}

/*
 * Accelerations are about 1, the sum of n terms that may cancel; a float sum of them errs by a few
 * 1e-6, of which a step of 0.1 s passes on a tenth.
 */
static void verify(struct bench_run *run)
{
	const double tolerance = 1e-5;
	size_t n = run->param[0];
	float *bodies = session_host_memory(&run->cl, run->output_words, sizeof(*bodies));

	if (run->cl.failed)
		return;
	for (size_t i = 0; i < run->output_words; i++)
		bodies[i] = initial(run, i);
	for (size_t i = 0; i < n; i++) {
		size_t position_word = i * WORDS_PER_VECTOR, velocity_word = (n + i) * WORDS_PER_VECTOR;
		double velocity[3];

		velocity_reference(run, bodies, i, velocity);
		for (size_t axis = 0; axis < 3; axis++)
			if (!bench_expect_float(run, velocity_word + axis, velocity[axis], tolerance) ||
			    !bench_expect_float(run, position_word + axis,
					(double)bodies[position_word + axis] + velocity[axis] * STEP_S, tolerance))
				return;
		if (!bench_expect_float(run, position_word + 3, (double)bodies[position_word + 3], 0) ||
		    !bench_expect_float(run, velocity_word + 3, 0, 0))
			return;
	}
}

static double work(const struct bench_run *run)
{
	return FLOPS_PER_PAIR * run->param[0] * run->param[0] / 1e9;
}

static void teardown(struct bench_run *run)
{
	struct state *state = run->state;

	if (state && state->uploaded)
		clReleaseEvent(state->uploaded);
}

extern const struct bench_kernel bench_nbody;
const struct bench_kernel bench_nbody = {
	.name = "nbody",
	.summary = "gravity between all pairs of bodies, one step",
	.unit = "GFLOP/s",
	.params = {
		{ "n", "bodies", { 1024, 2048, 16384 }, 1, 1 << 18 },
	},
	.setup = setup,
	.enqueue = enqueue,
	.fetch = fetch,
	.verify = verify,
	.work = work,
	.teardown = teardown,
};
