// SPDX-License-Identifier: MIT
/* The one driver of all kernels; see kernels/kernel.h for what it asks of them. */
#include "benchmarks/runner.h"

#include "benchmarks/clock.h"
#include "benchmarks/prng.h"

#include <stdlib.h>
#include <string.h>

/* Seldom a right answer: a NAN as a float, more than any count as an integer. */
#define POISON 0xfff0dead

/* Top bit of a float's exponent: changes any value by more than every tolerance, zero included. */
#define FAULT 0x40000000

static void poison_output(struct bench_run *run)
{
	session_fill_u32(&run->cl, run->output, POISON, 0, run->output_words * sizeof(uint32_t),
		(struct wait_list){ 0 }, NULL);
	session_finish(&run->cl);
}

static void drop_events(struct bench_run *run)
{
	for (unsigned i = 0; i < run->event_count; i++)
		if (run->events[i])
			clReleaseEvent(run->events[i]);
	memset(run->events, 0, run->event_count * sizeof(run->events[0]));
	run->event_count = 0;
}

static void repetition(struct bench_run *run, double *ret_wall_us, double *ret_event_us)
{
	uint64_t start_ns = clock_now_ns(), wall_ns, event_ns = 0;

	run->kernel->enqueue(run);
	session_finish(&run->cl);
	wall_ns = clock_now_ns() - start_ns;
	for (unsigned i = 0; i < run->event_count; i++)
		event_ns += session_profile_ns(&run->cl, run->events[i]);
	drop_events(run);
	*ret_wall_us = (double)wall_ns / 1e3;
	*ret_event_us = (double)event_ns / 1e3;
}

static void measure(struct bench_run *run, const struct bench_request *request, struct bench_result *result)
{
	double wall_us, event_us;

	poison_output(run);
	for (unsigned i = 0; i < request->warmup && !run->cl.failed; i++)
		repetition(run, &wall_us, &event_us);
	for (unsigned i = 0; i < request->repeat && !run->cl.failed; i++) {
		if (i + 1 == request->repeat)
			poison_output(run);
		repetition(run, &result->wall_us[i], &result->event_us[i]);
	}
}

static void check_result(struct bench_run *run, bool inject_fault)
{
	run->result = session_host_memory(&run->cl, run->output_words, sizeof(*run->result));
	if (run->cl.failed)
		return;
	run->kernel->fetch(run);
	if (run->cl.failed)
		return;
	if (inject_fault)
		run->result[prng_u32(run->seed, UINT32_MAX, 0) % run->output_words] ^= FAULT;
	run->kernel->verify(run);
}

void bench_execute(const struct device_choice *choice, const struct bench_request *request,
	struct bench_result *ret_result)
{
	const struct bench_kernel *kernel = request->kernel;
	struct bench_run *run = calloc(1, sizeof(*run));

	*ret_result = (struct bench_result){ .kernel = kernel, .repeat = request->repeat };
	memcpy(ret_result->param, request->param, sizeof(ret_result->param));
	ret_result->wall_us = calloc(request->repeat, sizeof(*ret_result->wall_us));
	ret_result->event_us = calloc(request->repeat, sizeof(*ret_result->event_us));
	if (!run || !ret_result->wall_us || !ret_result->event_us) {
		ret_result->failed = true;
		strcpy(ret_result->failure, "out of host memory");
		goto free_run;
	}
	run->kernel = kernel;
	run->seed = request->seed;
	memcpy(run->param, request->param, sizeof(run->param));

	session_open(&run->cl, choice);
	if (!run->cl.failed)
		kernel->setup(run);
	if (!run->cl.failed)
		measure(run, request, ret_result);
	if (!run->cl.failed)
		check_result(run, request->inject_fault);
	drop_events(run);
	kernel->teardown(run);
	ret_result->failed = run->cl.failed;
	memcpy(ret_result->failure, run->cl.failure, sizeof(ret_result->failure));
	ret_result->mismatch = run->mismatch;
	ret_result->build_ms = (double)run->cl.build_ns / 1e6;
	ret_result->work = kernel->work(run);
	session_close(&run->cl);
free_run:
	free(run);
}

void bench_result_finish(struct bench_result *result)
{
	free(result->wall_us);
	free(result->event_us);
	result->wall_us = result->event_us = NULL;
}

void bench_describe_size(const struct bench_kernel *kernel, const uint32_t *param, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < BENCH_PARAMS_MAX && kernel->params[i].name && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s=%u", i ? " " : "",
			kernel->params[i].name, param[i]);
}
