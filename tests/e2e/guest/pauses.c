/* SPDX-License-Identifier: MIT */
/*
 * An application that pauses and goes on: computes on state that stays on the device, pauses, computes again, verifies every word
 * each time. What it proves: an engine that was retired in a pause is not missed; nothing is lost of buffers, kernels of programs
 * released and kept, queues, failed events; times only grow; who waits over the pause is woken.
 *
 * --rounds N, --pause-ms N, --spread-us N: each pause is pause-ms plus 0..spread-us, in steps that sweep through it.
 * --stateful 1: a program has a variable of its own, which only the same engine has. --whole 1: no sub-buffer.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest.h"

static const char kept_source[] =
	"kernel void advance(global uint *state, uint add) {\n"
	"	size_t i = get_global_id(0);\n"
	"	state[i] = state[i] * 1664525u + 1013904223u + add;\n"
	"}\n"
	"kernel void fold(global const uint *state, global uint *sums, local uint *part) {\n"
	"	size_t l = get_local_id(0);\n"
	"	part[l] = state[get_global_id(0)];\n"
	"	for (size_t n = get_local_size(0) / 2; n; n /= 2) {\n"
	"		barrier(CLK_LOCAL_MEM_FENCE);\n"
	"		if (l < n) part[l] += part[l + n];\n"
	"	}\n"
	"	if (!l) sums[get_group_id(0)] = part[0];\n"
	"}\n";
static const char released_source[] = "kernel void spice(global uint *state) { state[get_global_id(0)] ^= 0x5a5a5a5au; }\n";
static const char stateful_source[] =
	"global uint calls = 0;\n"
	"kernel void count(global uint *out) { out[0] = ++calls; }\n";

#define WORDS 4096u
#define GROUP 64u

struct app {
	struct gpu gpu;
	cl_command_queue profiled;
	cl_program program;
	cl_kernel step, fold, spice, count;
	cl_mem state, upper, sums;	/* upper: the second half of state */
	uint32_t model[WORDS];
	uint64_t last_end_ns, last_host_ns;
	uint64_t wrong;
};

static cl_kernel make_kernel(cl_program program, const char *name)
{
	cl_int error;
	cl_kernel kernel = clCreateKernel(program, name, &error);

	gpu_check(error, name);
	return kernel;
}

static void app_open(struct app *app, bool stateful, bool whole)
{
	const cl_queue_properties profiling[] = {CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE, 0};
	const char *source = kept_source;
	const cl_buffer_region half = {WORDS / 2 * 4, WORDS / 2 * 4};
	cl_int error;

	gpu_open(&app->gpu);
	app->profiled = clCreateCommandQueueWithProperties(app->gpu.context, app->gpu.device, profiling, &error);
	gpu_check(error, "clCreateCommandQueue");
	app->program = clCreateProgramWithSource(app->gpu.context, 1, &source, NULL, &error);
	gpu_check(error, "clCreateProgramWithSource");
	gpu_check(clBuildProgram(app->program, 1, &app->gpu.device, "-DUNUSED=1", NULL, NULL), "clBuildProgram");
	app->step = make_kernel(app->program, "advance");
	app->fold = make_kernel(app->program, "fold");
	app->spice = gpu_kernel(&app->gpu, released_source, "spice");
	app->count = stateful ? gpu_kernel_of(&app->gpu, stateful_source, "-cl-std=CL2.0", "count") : NULL;
	app->state = gpu_buffer(&app->gpu, WORDS * 4);
	app->sums = gpu_buffer(&app->gpu, WORDS / GROUP * 4);
	app->upper = whole ? NULL : clCreateSubBuffer(app->state, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &half, &error);
	gpu_check(error, "clCreateSubBuffer");
	for (uint32_t i = 0; i < WORDS; i++)
		app->model[i] = i;
	gpu_check(clEnqueueWriteBuffer(app->gpu.queue, app->state, CL_TRUE, 0, sizeof(app->model), app->model, 0, NULL, NULL), "write");
}

static void app_close(struct app *app)
{
	if (app->upper)
		clReleaseMemObject(app->upper);
	clReleaseMemObject(app->state);
	clReleaseMemObject(app->sums);
	clReleaseKernel(app->step);
	clReleaseKernel(app->fold);
	clReleaseKernel(app->spice);
	if (app->count)
		clReleaseKernel(app->count);
	clReleaseProgram(app->program);
	clReleaseCommandQueue(app->profiled);
	gpu_close(&app->gpu);
}

/* ---- one command after the pause, in several ways --------------------------------------------------------- */

static void model_step(struct app *app, uint32_t from, uint32_t add)
{
	for (uint32_t i = from; i < WORDS; i++)
		app->model[i] = app->model[i] * 1664525u + 1013904223u + add;
}

static void enqueue_step(struct app *app, cl_command_queue queue, bool only_upper, uint32_t add, cl_uint waits, const cl_event *wait,
			 cl_event *ret_event)
{
	size_t global = only_upper ? WORDS / 2 : WORDS;

	gpu_check(clSetKernelArg(app->step, 0, sizeof(cl_mem), only_upper ? &app->upper : &app->state), "clSetKernelArg");
	gpu_check(clSetKernelArg(app->step, 1, sizeof(add), &add), "clSetKernelArg");
	gpu_check(clEnqueueNDRangeKernel(queue, app->step, 1, NULL, &global, NULL, waits, wait, ret_event), "kernel");
	model_step(app, only_upper ? WORDS / 2 : 0, add);
}

/* The profiled queue: every time is behind every earlier one, also the last engine's. */
static void check_times(struct app *app, cl_event event)
{
	static const cl_profiling_info names[4] = {CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_SUBMIT,
						   CL_PROFILING_COMMAND_START, CL_PROFILING_COMMAND_END};
	cl_ulong times[4], device_ns = 0, host_ns = 0;
	uint64_t before = app->last_end_ns;

	for (unsigned i = 0; i < 4; i++) {
		gpu_check(clGetEventProfilingInfo(event, names[i], sizeof(times[i]), &times[i], NULL), "clGetEventProfilingInfo");
		if (times[i] < before) {
			fprintf(stderr, "time %u is %llu, before %llu\n", i, (unsigned long long)times[i], (unsigned long long)before);
			app->wrong++;
		}
		before = times[i];
	}
	app->last_end_ns = times[3];
	cl_int error = clGetDeviceAndHostTimer(app->gpu.device, &device_ns, &host_ns);
	if (error == CL_INVALID_OPERATION)	/* a native device without */
		return;
	gpu_check(error, "clGetDeviceAndHostTimer");
	if (device_ns < app->last_host_ns) {
		fprintf(stderr, "the device's timer went back from %llu to %llu\n", (unsigned long long)app->last_host_ns,
			(unsigned long long)device_ns);
		app->wrong++;
	}
	app->last_host_ns = device_ns;
}

static void *wait_for(void *event)
{
	cl_event waited = event;

	return (void *)(intptr_t)clWaitForEvents(1, &waited);
}

static void sleep_ns(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)}, NULL);
}

/* Returns how long the first command after the pause took, ns. */
static uint64_t pause_and_go(struct app *app, uint32_t round, uint64_t pause_ns)
{
	cl_event event = NULL, gate = NULL;
	pthread_t waiter;
	void *said;
	cl_int error;
	uint64_t since;

	switch (round % 4) {
	case 0:		/* a kernel of a program that is kept */
		sleep_ns(pause_ns);
		since = now_ns();
		enqueue_step(app, app->profiled, false, round, 0, NULL, &event);
		gpu_check(clWaitForEvents(1, &event), "clWaitForEvents");
		since = now_ns() - since;
		check_times(app, event);
		break;
	case 1:		/* of one whose program has been released */
		sleep_ns(pause_ns);
		since = now_ns();
		gpu_check(clSetKernelArg(app->spice, 0, sizeof(cl_mem), &app->state), "clSetKernelArg");
		gpu_check(clEnqueueNDRangeKernel(app->gpu.queue, app->spice, 1, NULL, &(size_t){WORDS}, NULL, 0, NULL, NULL), "kernel");
		gpu_check(clFinish(app->gpu.queue), "clFinish");
		since = now_ns() - since;
		for (uint32_t i = 0; i < WORDS; i++)
			app->model[i] ^= 0x5a5a5a5au;
		break;
	case 2:		/* a thread waits over the pause for what another lets go after it */
		gate = clCreateUserEvent(app->gpu.context, &error);
		gpu_check(error, "clCreateUserEvent");
		enqueue_step(app, app->gpu.queue, app->upper, round, 1, &gate, &event);
		gpu_check(clFlush(app->gpu.queue), "clFlush");
		pthread_create(&waiter, NULL, wait_for, event);
		sleep_ns(pause_ns);
		since = now_ns();
		gpu_check(clSetUserEventStatus(gate, CL_COMPLETE), "clSetUserEventStatus");
		pthread_join(waiter, &said);
		since = now_ns() - since;
		gpu_check((cl_int)(intptr_t)said, "clWaitForEvents");
		clReleaseEvent(gate);
		break;
	default:	/* a transfer; a new buffer, whose creation is the first record */
		sleep_ns(pause_ns);
		since = now_ns();
		cl_mem fresh = gpu_buffer(&app->gpu, WORDS * 4);
		gpu_check(clEnqueueCopyBuffer(app->gpu.queue, app->state, fresh, 0, 0, WORDS * 4, 0, NULL, NULL), "copy");
		gpu_check(clEnqueueCopyBuffer(app->gpu.queue, fresh, app->state, 0, 0, WORDS * 4, 0, NULL, NULL), "copy");
		gpu_check(clFinish(app->gpu.queue), "clFinish");
		since = now_ns() - since;
		clReleaseMemObject(fresh);
	}
	if (event)
		clReleaseEvent(event);
	return since;
}

static void verify(struct app *app)
{
	static uint32_t seen[WORDS], sums[WORDS / GROUP];

	gpu_check(clSetKernelArg(app->fold, 0, sizeof(cl_mem), &app->state), "clSetKernelArg");
	gpu_check(clSetKernelArg(app->fold, 1, sizeof(cl_mem), &app->sums), "clSetKernelArg");
	gpu_check(clSetKernelArg(app->fold, 2, GROUP * 4, NULL), "clSetKernelArg");
	gpu_check(clEnqueueNDRangeKernel(app->gpu.queue, app->fold, 1, NULL, &(size_t){WORDS}, &(size_t){GROUP}, 0, NULL, NULL), "kernel");
	gpu_check(clEnqueueReadBuffer(app->gpu.queue, app->sums, CL_FALSE, 0, sizeof(sums), sums, 0, NULL, NULL), "read");
	gpu_check(clEnqueueReadBuffer(app->gpu.queue, app->state, CL_TRUE, 0, sizeof(seen), seen, 0, NULL, NULL), "read");
	for (uint32_t i = 0; i < WORDS; i++)
		app->wrong += seen[i] != app->model[i];
	for (uint32_t g = 0; g < WORDS / GROUP; g++) {
		uint32_t sum = 0;
		for (uint32_t i = 0; i < GROUP; i++)
			sum += app->model[g * GROUP + i];
		app->wrong += sums[g] != sum;
	}
}

static void check_count(struct app *app, uint32_t calls)
{
	uint32_t seen = 0;

	gpu_check(clSetKernelArg(app->count, 0, sizeof(cl_mem), &app->sums), "clSetKernelArg");
	gpu_check(clEnqueueNDRangeKernel(app->gpu.queue, app->count, 1, NULL, &(size_t){1}, NULL, 0, NULL, NULL), "kernel");
	gpu_check(clEnqueueReadBuffer(app->gpu.queue, app->sums, CL_TRUE, 0, sizeof(seen), &seen, 0, NULL, NULL), "read");
	app->wrong += seen != calls;
}

static int earlier(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int pauses_main(int argc, char **argv)
{
	const uint64_t rounds = option(argc, argv, "--rounds", 10), pause_ms = option(argc, argv, "--pause-ms", 1000);
	const uint64_t spread_us = option(argc, argv, "--spread-us", 0);
	uint64_t *took = calloc(rounds, sizeof(*took));
	static struct app app;

	if (!took || !rounds)
		return 2;
	app_open(&app, option(argc, argv, "--stateful", 0), option(argc, argv, "--whole", 0));
	puts("state=started");
	fflush(stdout);
	for (uint32_t round = 0; round < rounds; round++) {
		/* A stride that has no factor in common with it visits every part of the spread. */
		took[round] = pause_and_go(&app, round, pause_ms * 1000000u + (spread_us ? round * 7919ull % spread_us * 1000u : 0));
		verify(&app);
		if (app.count)
			check_count(&app, round + 1);
		printf("round=%u first_command_us=%llu wrong=%llu\n", round, (unsigned long long)(took[round] / 1000),
		       (unsigned long long)app.wrong);
		fflush(stdout);
	}
	app_close(&app);
	qsort(took, rounds, sizeof(*took), earlier);
	printf("state=done rounds=%llu wrong=%llu first_command_ms_least=%.1f median=%.1f most=%.1f\n", (unsigned long long)rounds,
	       (unsigned long long)app.wrong, (double)took[0] / 1e6, (double)took[rounds / 2] / 1e6, (double)took[rounds - 1] / 1e6);
	free(took);
	return app.wrong != 0;
}
