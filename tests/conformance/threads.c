/* SPDX-License-Identifier: MIT */
/*
 * Sixty-four threads with every kind of object at once, callbacks from whichever thread, and a process that forks.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/conformance/conformance.h"

#define THREADS 64
#define ITEMS 256

static const char *text = "kernel void scale(global int *a, int by) { a[get_global_id(0)] *= by; }";
static cl_program shared_program;
static volatile bool over;
static unsigned long rounds, callbacks_due, callbacks_came;

static void CL_CALLBACK event_called(cl_event event, cl_int status, void *data)
{
	(void)event;
	(void)data;
	if (status != CL_COMPLETE)
		wrong("a callback was given %d", status);
	__atomic_fetch_add(&callbacks_came, 1, __ATOMIC_SEQ_CST);
}

static void CL_CALLBACK mem_called(cl_mem mem, void *data)
{
	(void)mem;
	(void)data;
	__atomic_fetch_add(&callbacks_came, 1, __ATOMIC_SEQ_CST);
}

#define TRY(call) \
	do { \
		cl_int error_ = (call); \
		if (error_) { \
			wrong("%s answers %d", #call, error_); \
			return false; \
		} \
	} while (0)
#define TRY_MADE(target, call) \
	do { \
		cl_int error = 0; \
		target = (call); \
		if (error || !target) { \
			wrong("%s answers %d", #call, error); \
			return false; \
		} \
	} while (0)

static bool verify(const cl_int *data, cl_int expected, const char *where)
{
	for (int i = 0; i < ITEMS; i++)
		if (data[i] != expected) {
			wrong("%s: element %d is %d, not %d", where, i, data[i], expected);
			return false;
		}
	return true;
}

/* Commands on a queue of the thread's, with events across to a second one. */
static bool compute(cl_context context, cl_command_queue queue, cl_command_queue second, cl_program program, unsigned *seed)
{
	const cl_int one = 1, by = 2 + (cl_int)(rand_r(seed) % 5);
	const size_t items = ITEMS, bytes = ITEMS * sizeof(cl_int);
	cl_int data[ITEMS], *mapped;
	cl_kernel kernel, clone;
	cl_mem mem, sub;
	cl_event gate, ran, moved;
	const cl_buffer_region half = {0, bytes / 2};

	TRY_MADE(mem, clCreateBuffer(context, CL_MEM_READ_WRITE, bytes, NULL, &error));
	TRY(clSetMemObjectDestructorCallback(mem, mem_called, NULL));
	__atomic_fetch_add(&callbacks_due, 1, __ATOMIC_SEQ_CST);
	sub = clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &half, NULL);	/* not on a device with memory of its own */
	TRY_MADE(kernel, clCreateKernel(program, "scale", &error));
	TRY_MADE(clone, clCloneKernel(kernel, &error));
	TRY_MADE(gate, clCreateUserEvent(context, &error));
	TRY(clEnqueueFillBuffer(queue, mem, &one, sizeof(one), 0, bytes, 1, &gate, NULL));
	TRY(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	TRY(clSetKernelArg(kernel, 1, sizeof(by), &by));
	TRY(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, NULL, 0, NULL, &ran));
	TRY(clSetEventCallback(ran, CL_COMPLETE, event_called, NULL));
	__atomic_fetch_add(&callbacks_due, 1, __ATOMIC_SEQ_CST);
	TRY(clSetKernelArg(clone, 0, sizeof(mem), &mem));
	TRY(clSetKernelArg(clone, 1, sizeof(by), &by));
	TRY(clEnqueueNDRangeKernel(second, clone, 1, NULL, &items, NULL, 1, &ran, &moved));
	TRY(clSetUserEventStatus(gate, CL_COMPLETE));
	TRY(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, bytes, data, 1, &moved, NULL));
	if (!verify(data, by * by, "a read"))
		return false;
	mapped = clEnqueueMapBuffer(second, mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, bytes, 1, &moved, NULL, NULL);
	if (!mapped || !verify(mapped, by * by, "a map"))
		return false;
	for (int i = 0; i < ITEMS; i++)
		mapped[i] = 3;
	TRY(clEnqueueUnmapMemObject(second, mem, mapped, 0, NULL, NULL));
	TRY(clEnqueueMarkerWithWaitList(second, 0, NULL, NULL));
	TRY(clFinish(second));
	TRY(clEnqueueReadBuffer(queue, mem, CL_FALSE, 0, bytes, data, 0, NULL, NULL));
	TRY(clFinish(queue));
	if (!verify(data, 3, "a read after an unmap"))
		return false;
	if (sub)
		TRY(clReleaseMemObject(sub));
	clReleaseMemObject(mem);
	clReleaseKernel(clone);
	clReleaseKernel(kernel);
	clReleaseEvent(gate);
	clReleaseEvent(ran);
	clReleaseEvent(moved);
	return true;
}

static bool round_of(unsigned number, unsigned *seed)
{
	/* One in eight in a context of its own, which is built for now and then. */
	bool own = number % 8 == 0;
	cl_context context = s.context;
	cl_program program = shared_program;
	cl_command_queue queue, second;
	cl_uint references;
	bool good;

	if (own)
		TRY_MADE(context, clCreateContext(NULL, 1, &s.device, NULL, NULL, &error));
	if (own) {
		TRY_MADE(program, clCreateProgramWithSource(context, 1, &text, NULL, &error));
		TRY(clBuildProgram(program, 0, NULL, NULL, NULL, NULL));
	}
	TRY_MADE(queue, clCreateCommandQueue(context, s.device, CL_QUEUE_PROFILING_ENABLE, &error));
	TRY_MADE(second, clCreateCommandQueue(context, s.device, 0, &error));
	TRY(clRetainContext(context));
	TRY(clGetContextInfo(context, CL_CONTEXT_REFERENCE_COUNT, sizeof(references), &references, NULL));
	good = references > 1 && compute(context, queue, second, program, seed);
	TRY(clReleaseContext(context));
	TRY(clReleaseCommandQueue(second));
	TRY(clReleaseCommandQueue(queue));
	if (own) {
		TRY(clReleaseProgram(program));
		TRY(clReleaseContext(context));
	}
	return good;
}

static void *thread_main(void *argument)
{
	unsigned number = (unsigned)(uintptr_t)argument, seed = number + 1;

	while (!over && !__atomic_load_n(&wrong_count, __ATOMIC_SEQ_CST)) {
		if (!round_of(number, &seed))
			break;
		__atomic_fetch_add(&rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

int run_threads(unsigned seconds)
{
	pthread_t threads[THREADS];

	shared_program = clCreateProgramWithSource(s.context, 1, &text, NULL, &err);
	need(err, "clCreateProgramWithSource");
	need(clBuildProgram(shared_program, 0, NULL, NULL, NULL, NULL), "clBuildProgram");
	for (uintptr_t i = 0; i < THREADS; i++)
		need(pthread_create(&threads[i], NULL, thread_main, (void *)i), "pthread_create");
	sleep(seconds);
	over = true;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* Callbacks come in time, not at once. */
	for (unsigned i = 0; i < 30000 && __atomic_load_n(&callbacks_came, __ATOMIC_SEQ_CST) < callbacks_due; i++)
		usleep(1000);
	if (!wrong_count && callbacks_came != callbacks_due)
		wrong("%lu callbacks came, %lu were due", callbacks_came, callbacks_due);
	if (rounds < THREADS)
		wrong("%lu rounds in %u s are fewer than there are threads", rounds, seconds);
	printf("%lu rounds by %u threads, %lu callbacks\n", rounds, THREADS, callbacks_came);
	return wrong_count != 0;
}

/* ---- fork ------------------------------------------------------------------------------------------- */

static bool world_computes(void)
{
	cl_command_queue queue, second;
	cl_context context;
	cl_program program;
	unsigned seed = 1;
	bool good;

	TRY_MADE(context, clCreateContext(NULL, 1, &s.device, NULL, NULL, &error));
	TRY_MADE(program, clCreateProgramWithSource(context, 1, &text, NULL, &error));
	TRY(clBuildProgram(program, 0, NULL, NULL, NULL, NULL));
	TRY_MADE(queue, clCreateCommandQueue(context, s.device, 0, &error));
	TRY_MADE(second, clCreateCommandQueue(context, s.device, 0, &error));
	good = compute(context, queue, second, program, &seed);
	clReleaseCommandQueue(second);
	clReleaseCommandQueue(queue);
	clReleaseProgram(program);
	clReleaseContext(context);
	return good;
}

static int forked_child(void)
{
	cl_int value = 1;

	/* The parent's objects: errors, no crash, and they can be released. */
	if (clEnqueueWriteBuffer(s.queue, s.buffer, CL_TRUE, 0, sizeof(value), &value, 0, NULL, NULL) == CL_SUCCESS)
		wrong("the child writes into the parent's buffer");
	if (clFinish(s.queue) == CL_SUCCESS)
		wrong("the child finishes the parent's queue");
	clReleaseKernel(s.kernel);
	clReleaseMemObject(s.target);
	clReleaseCommandQueue(s.unprofiled);
	/* What it makes itself works. */
	if (!world_computes())
		wrong("the child's own context does not compute");
	return wrong_count != 0;
}

int run_fork(void)
{
	scene_make();
	if (!world_computes())
		return 1;
	for (int i = 0; i < 5; i++) {
		int status = 0;
		pid_t child = fork();

		if (child == 0) {
			alarm(120);
			_exit(forked_child());
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			wrong("child %d ended with status %#x", i, status);
		if (!world_computes())
			wrong("the parent does not compute after fork %d", i);
	}
	/* One while other threads compute. */
	pthread_t threads[8];
	shared_program = clCreateProgramWithSource(s.context, 1, &text, NULL, &err);
	need(clBuildProgram(shared_program, 0, NULL, NULL, NULL, NULL), "clBuildProgram");
	for (uintptr_t i = 0; i < 8; i++)
		need(pthread_create(&threads[i], NULL, thread_main, (void *)i), "pthread_create");
	for (int i = 0; i < 10; i++) {
		int status = 0;
		pid_t child = fork();

		if (child == 0) {
			alarm(60);
			_exit(world_computes() ? 0 : 1);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			wrong("child %d beside threads ended with status %#x", i, status);
	}
	over = true;
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	printf("15 forks survived, %lu rounds beside them\n", rounds);
	return wrong_count != 0;
}
