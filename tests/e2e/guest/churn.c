/* SPDX-License-Identifier: MIT */
/*
 * Many threads that make, use, verify and drop objects of every kind at once, in rounds: contexts, queues, buffers, programs that
 * build and programs that do not, kernels. --threads T --rounds N --contexts C --buffers B, the last two per round and over all
 * threads. After each round it holds nothing, says `round=N wrong=W` and waits --pause-ms, so that somebody may count what is left.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define KEPT 16		/* buffers that a thread holds at a time */
#define BUILD_EVERY 50	/* contexts of a thread's; a build costs a hundred times as much as the rest */

static const char good_source[] =
	"kernel void scale(global const uint *in, global uint *out, uint by) {\n"
	"	size_t i = get_global_id(0);\n"
	"	out[i] = in[i] * by + (uint)i;\n"
	"}\n";
static const char bad_source[] = "kernel void scale(global uint *out) { out[0] = no_such_name; }\n";

struct round {
	cl_device_id device;
	cl_context context;		/* for buffers */
	cl_kernel kernel;
	pthread_mutex_t kernel_lock;	/* OpenCL 3.0, 2.1: clSetKernelArg is not thread-safe on one kernel */
	atomic_long contexts, buffers;	/* still to be made */
	atomic_ulong wrong;
};

struct worker {
	pthread_t thread;
	struct round *round;
	uint64_t random;
};

static uint32_t draw(struct worker *worker)
{
	/* xorshift64* */
	worker->random ^= worker->random >> 12;
	worker->random ^= worker->random << 25;
	worker->random ^= worker->random >> 27;
	return (uint32_t)((worker->random * 0x2545f4914f6cdd1dull) >> 32);
}

static cl_program program_of(struct round *round, cl_context context, const char *source, cl_int expected)
{
	cl_int error;
	cl_program program = clCreateProgramWithSource(context, 1, &source, NULL, &error);
	size_t log_bytes = 0;

	gpu_check(error, "clCreateProgramWithSource");
	error = clBuildProgram(program, 1, &round->device, "", NULL, NULL);
	if (error != expected) {
		fprintf(stderr, "a build answered %d, not %d\n", error, expected);
		round->wrong++;
	}
	clGetProgramBuildInfo(program, round->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &log_bytes);
	if (expected != CL_SUCCESS && log_bytes < sizeof("no_such_name")) {
		fprintf(stderr, "a failed build left a log of %zu bytes\n", log_bytes);
		round->wrong++;
	}
	return program;
}

/* Runs the kernel over `count` words and counts those that are wrong. The caller holds what lock the kernel needs. */
static void run_kernel(struct worker *worker, cl_context context, cl_command_queue queue, cl_kernel kernel)
{
	enum { COUNT = 1024 };
	uint32_t in[COUNT], out[COUNT] = {0};
	const cl_uint by = draw(worker) | 1;
	size_t global = COUNT;
	cl_int error;

	for (uint32_t i = 0; i < COUNT; i++)
		in[i] = draw(worker);
	cl_mem from = clCreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof(in), in, &error);
	gpu_check(error, "clCreateBuffer");
	cl_mem to = clCreateBuffer(context, CL_MEM_WRITE_ONLY, sizeof(out), NULL, &error);
	gpu_check(error, "clCreateBuffer");
	gpu_check(clSetKernelArg(kernel, 0, sizeof(from), &from), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 1, sizeof(to), &to), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 2, sizeof(by), &by), "clSetKernelArg");
	gpu_check(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL), "kernel");
	gpu_check(clEnqueueReadBuffer(queue, to, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL), "read");
	for (uint32_t i = 0; i < COUNT; i++)
		worker->round->wrong += out[i] != in[i] * by + i;
	clReleaseMemObject(from);
	clReleaseMemObject(to);
}

static void one_context(struct worker *worker, bool build)
{
	struct round *round = worker->round;
	uint32_t written = draw(worker), seen = 0;
	cl_int error;
	cl_context context = clCreateContext(NULL, 1, &round->device, NULL, NULL, &error);

	gpu_check(error, "clCreateContext");
	cl_command_queue queue = clCreateCommandQueueWithProperties(context, round->device, NULL, &error);
	gpu_check(error, "clCreateCommandQueue");
	cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, 4096, NULL, &error);
	gpu_check(error, "clCreateBuffer");
	gpu_check(clEnqueueFillBuffer(queue, buffer, &written, 4, 0, 4096, 0, NULL, NULL), "fill");
	gpu_check(clEnqueueReadBuffer(queue, buffer, CL_TRUE, 4092, 4, &seen, 0, NULL, NULL), "read");
	round->wrong += seen != written;
	if (build) {
		clReleaseProgram(program_of(round, context, bad_source, CL_BUILD_PROGRAM_FAILURE));
		cl_program program = program_of(round, context, good_source, CL_SUCCESS);
		cl_kernel kernel = clCreateKernel(program, "scale", &error);
		gpu_check(error, "clCreateKernel");
		run_kernel(worker, context, queue, kernel);
		clReleaseKernel(kernel);
		clReleaseProgram(program);
	}
	clReleaseMemObject(buffer);
	clReleaseCommandQueue(queue);
	clReleaseContext(context);
}

struct kept {
	cl_mem buffer;
	size_t bytes;
	uint32_t pattern;
};

static void verify_and_drop(struct worker *worker, cl_command_queue queue, struct kept *kept)
{
	uint32_t *words = malloc(kept->bytes);

	gpu_check(clEnqueueReadBuffer(queue, kept->buffer, CL_TRUE, 0, kept->bytes, words, 0, NULL, NULL), "read");
	for (size_t i = 0; i < kept->bytes / 4; i++)
		worker->round->wrong += words[i] != kept->pattern;
	free(words);
	clReleaseMemObject(kept->buffer);
	kept->buffer = NULL;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct round *round = worker->round;
	struct kept kept[KEPT] = {{0}};
	unsigned contexts = 0;
	bool more = true;
	cl_int error;
	cl_command_queue queue = clCreateCommandQueueWithProperties(round->context, round->device, NULL, &error);

	gpu_check(error, "clCreateCommandQueue");
	while (more) {
		more = false;
		if (round->contexts-- > 0) {
			one_context(worker, contexts++ % BUILD_EVERY == draw(worker) % BUILD_EVERY);
			more = true;
		}
		for (unsigned turn = 0; turn < KEPT && round->buffers-- > 0; turn++) {
			struct kept *at = &kept[draw(worker) % KEPT];
			if (at->buffer)
				verify_and_drop(worker, queue, at);
			/* A few are so large that they get a blob of their own. */
			at->bytes = draw(worker) % 64 ? 64 + draw(worker) % 8192 / 4 * 4 : 1u << 20;
			at->pattern = draw(worker);
			at->buffer = clCreateBuffer(round->context, CL_MEM_READ_WRITE, at->bytes, NULL, &error);
			gpu_check(error, "clCreateBuffer");
			gpu_check(clEnqueueFillBuffer(queue, at->buffer, &at->pattern, 4, 0, at->bytes, 0, NULL, NULL), "fill");
			more = true;
		}
		pthread_mutex_lock(&round->kernel_lock);
		run_kernel(worker, round->context, queue, round->kernel);
		pthread_mutex_unlock(&round->kernel_lock);
	}
	for (unsigned i = 0; i < KEPT; i++)
		if (kept[i].buffer)
			verify_and_drop(worker, queue, &kept[i]);
	clReleaseCommandQueue(queue);
	return NULL;
}

static unsigned long one_round(struct gpu *gpu, struct worker *workers, uint64_t threads, uint64_t contexts, uint64_t buffers)
{
	struct round round = {.device = gpu->device, .context = gpu->context, .kernel_lock = PTHREAD_MUTEX_INITIALIZER};

	round.contexts = (long)contexts;
	round.buffers = (long)buffers;
	round.kernel = gpu_kernel(gpu, good_source, "scale");
	for (uint64_t i = 0; i < threads; i++) {
		workers[i].round = &round;
		gpu_check(pthread_create(&workers[i].thread, NULL, work, &workers[i]) ? CL_OUT_OF_HOST_MEMORY : CL_SUCCESS, "a thread");
	}
	for (uint64_t i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	clReleaseKernel(round.kernel);
	return round.wrong;
}

int churn_main(int argc, char **argv)
{
	const uint64_t threads = option(argc, argv, "--threads", 64), rounds = option(argc, argv, "--rounds", 1);
	const uint64_t contexts = option(argc, argv, "--contexts", 1000), buffers = option(argc, argv, "--buffers", 10000);
	const uint64_t pause_ms = option(argc, argv, "--pause-ms", 0), seed = option(argc, argv, "--seed", 1);
	unsigned long wrong = 0;
	struct gpu gpu;
	struct worker *workers = calloc(threads ? threads : 1, sizeof(*workers));

	for (uint64_t i = 0; workers && i < threads; i++)
		workers[i].random = (seed + i + 1) * 0x9e3779b97f4a7c15ull;
	gpu_open(&gpu);
	printf("state=started\n");
	fflush(stdout);
	for (uint64_t round = 1; round <= rounds; round++) {
		wrong += one_round(&gpu, workers, threads, contexts, buffers);
		gpu_check(clFinish(gpu.queue), "clFinish");
		printf("round=%llu wrong=%lu\n", (unsigned long long)round, wrong);
		fflush(stdout);
		usleep((useconds_t)(pause_ms * 1000));
	}
	gpu_close(&gpu);
	free(workers);
	printf("state=done rounds=%llu wrong=%lu\n", (unsigned long long)rounds, wrong);
	return wrong != 0;
}
