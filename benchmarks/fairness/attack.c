// SPDX-License-Identifier: MIT
/* The loads that are not counted: what a neighbour may do to be a nuisance, and its CPU time alone. */
#include "benchmarks/fairness/load.h"

#include "benchmarks/clock.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#define FLUSHES_IN_FLIGHT 500
#define BURN_PERIOD_NS 10000000u

struct crowd {
	struct client *client;
	atomic_uint_fast64_t done;
	atomic_int error;	/* an OpenCL error, or 0 */
};

/* The same function in so many threads until the window's end. */
static void run_crowd(struct client *client, void *(*function)(void *))
{
	struct crowd crowd = { .client = client };
	pthread_t thread[CLIENT_THREADS_MAX];
	unsigned started = 0;

	while (started < client->options->threads && !pthread_create(&thread[started], NULL, function, &crowd))
		started++;
	if (started < client->options->threads)
		session_fail(&client->spin.cl, "only %u of %u threads could be started", started, client->options->threads);
	clock_sleep_until(client->progress.begin_ns);
	client_clock(client, clock_now_ns());
	clock_sleep_until(client->progress.end_ns);
	client_clock(client, clock_now_ns());
	while (started > 0)
		pthread_join(thread[--started], NULL);
	if (crowd.error)
		session_fail(&client->spin.cl, "a thread's OpenCL call failed: %s", cl_error_name(crowd.error));
	fprintf(client->out, "done %" PRIu64 "\n", (uint64_t)crowd.done);
}

static bool may_go_on(const struct crowd *crowd)
{
	return !crowd->error && client_may_go_on(crowd->client);
}

/* A source that no cache has seen. */
static cl_int build_another(struct client *client, uint64_t number)
{
	char source[512];
	const char *text = source;
	cl_program program;
	cl_int err;

	snprintf(source, sizeof(source), "kernel void k(global float *a)\n{\n\tsize_t i = get_global_id(0);\n"
		"\tfor (int j = 0; j < 100; j++)\n\t\ta[i] = sin(a[i]) * %" PRIu64 ".5f + cos(a[i] + j);\n}\n"
		"/* %" PRIu64 " */\n", number, clock_now_ns());
	program = clCreateProgramWithSource(client->spin.cl.context, 1, &text, NULL, &err);
	if (err != CL_SUCCESS)
		return err;
	err = clBuildProgram(program, 1, &client->spin.choice.device, "", NULL, NULL);
	clReleaseProgram(program);
	return err;
}

static void *build_thread(void *data)
{
	struct crowd *crowd = data;

	while (may_go_on(crowd)) {
		cl_int err = build_another(crowd->client, crowd->done++);

		if (err != CL_SUCCESS)
			crowd->error = err;
	}
	return NULL;
}

static void run_build(struct client *client)
{
	run_crowd(client, build_thread);
}

static void *burn_thread(void *data)
{
	struct crowd *crowd = data;
	uint64_t burn_ns = BURN_PERIOD_NS / 100 * crowd->client->options->duty_percent;

	while (may_go_on(crowd)) {
		uint64_t begin_ns = clock_now_ns();

		while (clock_now_ns() < begin_ns + burn_ns)
			;
		clock_sleep_until(begin_ns + BURN_PERIOD_NS);
	}
	return NULL;
}

static void run_burn(struct client *client)
{
	run_crowd(client, burn_thread);
}

/* A doorbell for each kernel, as fast as they go. */
static void run_flush(struct client *client)
{
	struct session *cl = &client->spin.cl;
	uint64_t done = 0;

	while (!cl->failed && client_may_go_on(client)) {
		spin_enqueue(&client->spin, cl->upload_queue, NULL);
		session_flush(cl, cl->upload_queue);
		if (++done % FLUSHES_IN_FLIGHT == 0 && !cl->failed)
			session_check(cl, "clFinish", clFinish(cl->upload_queue));
		client_clock(client, clock_now_ns());
	}
	client_clock(client, clock_now_ns());
	fprintf(client->out, "done %" PRIu64 "\n", done);
}

const struct load load_build = { .name = "build", .run = run_build };
const struct load load_flush = { .name = "flush", .run = run_flush };
const struct load load_burn = { .name = "burn", .without_gpu = true, .run = run_burn };
