/* SPDX-License-Identifier: MIT */
/* Events: status, profiling, callbacks, wait lists, user events; and what a lost device leaves of them. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/shim/opencl/fixture.h"

static cl_int status_of(cl_event event)
{
	cl_int status = 77;

	assert_cl(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	return status;
}

struct noted {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	int count;
	cl_int status;
	pthread_t thread;
};

static void CL_CALLBACK note(cl_event event, cl_int status, void *data)
{
	struct noted *noted = data;

	(void)event;
	pthread_mutex_lock(&noted->lock);
	noted->count++;
	noted->status = status;
	noted->thread = pthread_self();
	pthread_cond_broadcast(&noted->moved);
	pthread_mutex_unlock(&noted->lock);
}

static void noted_wait(struct noted *noted, int count)
{
	pthread_mutex_lock(&noted->lock);
	while (noted->count < count)
		pthread_cond_wait(&noted->moved, &noted->lock);
	pthread_mutex_unlock(&noted->lock);
}
#define NOTED { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 77, 0 }

static void a_callback_comes_from_another_thread(void **state)
{
	struct noted noted = NOTED, failed = NOTED;
	struct world world;
	cl_event event;
	int one = 1;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &one);
	SET(kernel_us, 1000);
	assert_cl(world_scale(&world, mem, 1, 1, &event));
	assert_cl(clSetEventCallback(event, CL_COMPLETE, note, &noted));
	assert_cl(clReleaseEvent(event));
	noted_wait(&noted, 1);
	assert_int_equal(noted.status, CL_COMPLETE);
	assert_false(pthread_equal(noted.thread, pthread_self()));
	SET(fail_kernels, 1);
	assert_cl(world_scale(&world, mem, 1, 1, &event));
	assert_cl(clSetEventCallback(event, CL_COMPLETE, note, &failed));
	noted_wait(&failed, 1);
	assert_int_equal(failed.status, CL_OUT_OF_RESOURCES);
	assert_int_equal(clWaitForEvents(1, &event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	assert_cl(clReleaseEvent(event));
	clReleaseMemObject(mem);
	world_end(&world);
}

static void profiling_is_refused_where_the_specification_says(void **state)
{
	struct world world;
	cl_command_queue plain;
	cl_event event;
	cl_ulong time;
	cl_int error;
	int one = 1;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &one);
	SET(hold, 1);
	assert_cl(world_scale(&world, mem, 1, 1, &event));
	assert_int_equal(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, 8, &time, NULL),
			 CL_PROFILING_INFO_NOT_AVAILABLE);
	SET(hold, 0);
	assert_cl(clWaitForEvents(1, &event));
	assert_cl(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, 8, &time, NULL));
	assert_int_equal(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, 4, &time, NULL), CL_INVALID_VALUE);
	assert_int_equal(clGetEventProfilingInfo(event, 0, 8, &time, NULL), CL_INVALID_VALUE);
	clReleaseEvent(event);
	plain = clCreateCommandQueue(world.context, device, 0, &error);
	assert_cl(error);
	assert_cl(clEnqueueMarkerWithWaitList(plain, 0, NULL, &event));
	assert_cl(clWaitForEvents(1, &event));
	assert_int_equal(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, 8, &time, NULL),
			 CL_PROFILING_INFO_NOT_AVAILABLE);
	clReleaseEvent(event);
	clReleaseCommandQueue(plain);
	clReleaseMemObject(mem);
	world_end(&world);
}

static void times_of_what_is_done_here_fit_the_devices(void **state)
{
	struct world world;
	cl_event kernel, read;
	cl_ulong end, start;
	int one = 1;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &one);
	assert_cl(world_scale(&world, mem, 1, 1, &kernel));
	assert_cl(clFinish(world.queue));
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, 4, &one, 0, NULL, &read));
	assert_cl(clGetEventProfilingInfo(kernel, CL_PROFILING_COMMAND_END, 8, &end, NULL));
	assert_cl(clGetEventProfilingInfo(read, CL_PROFILING_COMMAND_START, 8, &start, NULL));
	assert_true(start > 1000000000000ull);
	assert_true(start + 1000000 > end && start < end + 1000000000);
	clReleaseEvent(kernel);
	clReleaseEvent(read);
	clReleaseMemObject(mem);
	world_end(&world);
}

static void events_of_two_queues_are_waited_for(void **state)
{
	struct world world;
	cl_command_queue other;
	cl_event events[2], last;
	int data = 1;
	cl_int error;
	cl_mem mem;

	(void)state;
	world_make(&world);
	other = clCreateCommandQueue(world.context, device, 0, &error);
	assert_cl(error);
	mem = world_buffer(&world, 4, &data);
	SET(kernel_us, 500);
	assert_cl(world_scale(&world, mem, 3, 1, &events[0]));
	assert_cl(clEnqueueMarkerWithWaitList(other, 0, NULL, &events[1]));
	assert_cl(clEnqueueReadBuffer(other, mem, CL_FALSE, 0, 4, &data, 2, events, &last));
	assert_cl(clWaitForEvents(1, &last));
	assert_int_equal(data, 3);
	assert_cl(clWaitForEvents(2, events));
	clReleaseEvent(events[0]);
	clReleaseEvent(events[1]);
	clReleaseEvent(last);
	clReleaseCommandQueue(other);
	clReleaseMemObject(mem);
	world_end(&world);
}

static void a_list_longer_than_the_wires_is_folded(void **state)
{
	enum { COUNT = 700 };
	cl_event events[COUNT], last;
	cl_command_queue other;
	struct world world;
	cl_int error;

	(void)state;
	world_make(&world);
	other = clCreateCommandQueue(world.context, device, 0, &error);
	assert_cl(error);
	SET(hold, 1);
	for (int i = 0; i < COUNT; i++)
		assert_cl(clEnqueueMarkerWithWaitList(world.queue, 0, NULL, &events[i]));
	assert_cl(clEnqueueMarkerWithWaitList(other, COUNT, events, &last));
	SET(hold, 0);
	assert_cl(clWaitForEvents(1, &last));
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(status_of(events[i]), CL_COMPLETE);
		clReleaseEvent(events[i]);
	}
	clReleaseEvent(last);
	clReleaseCommandQueue(other);
	world_end(&world);
}

/* What waits for a failed command fails and does nothing, also where nobody knows yet when it is enqueued. */
static void a_failed_command_fails_what_waits_for_it(void **state)
{
	enum { COUNT = 600 };
	const cl_int error_in_list = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	cl_event failed, events[COUNT], same, other, folded, chained;
	int data = 1, seven = 7, got = 0;
	cl_command_queue queue;
	struct world world;
	cl_int error;
	cl_mem mem;

	(void)state;
	world_make(&world);
	queue = clCreateCommandQueue(world.context, device, 0, &error);
	assert_cl(error);
	mem = world_buffer(&world, 4, &data);
	assert_cl(clFinish(world.queue));
	SET(fail_kernels, 1);
	SET(hold, 1);
	assert_cl(world_scale(&world, mem, 1, 1, &failed));
	assert_cl(clEnqueueFillBuffer(world.queue, mem, &seven, 4, 0, 4, 1, &failed, &same));
	assert_cl(clEnqueueFillBuffer(queue, mem, &seven, 4, 0, 4, 1, &failed, &other));
	events[0] = failed;
	for (int i = 1; i < COUNT; i++)
		assert_cl(clEnqueueMarkerWithWaitList(world.queue, 0, NULL, &events[i]));
	assert_cl(clEnqueueFillBuffer(world.queue, mem, &seven, 4, 0, 4, COUNT, events, &folded));
	assert_cl(clEnqueueMarkerWithWaitList(queue, 1, &folded, &chained));
	assert_cl(clFlush(world.queue));
	SET(hold, 0);
	assert_int_equal(clWaitForEvents(1, &chained), error_in_list);
	assert_int_equal(status_of(failed), CL_OUT_OF_RESOURCES);
	assert_int_equal(status_of(same), error_in_list);
	assert_int_equal(status_of(other), error_in_list);
	assert_int_equal(status_of(folded), error_in_list);
	assert_int_equal(status_of(chained), error_in_list);
	assert_int_equal(status_of(events[1]), CL_COMPLETE);	/* it only comes after a failed one */
	assert_int_equal(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, 4, &got, 1, &failed, NULL), error_in_list);
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, 4, &got, 0, NULL, NULL));
	assert_int_equal(got, 1);
	for (int i = 0; i < COUNT; i++)
		clReleaseEvent(events[i]);
	clReleaseEvent(same);
	clReleaseEvent(other);
	clReleaseEvent(folded);
	clReleaseEvent(chained);
	clReleaseCommandQueue(queue);
	clReleaseMemObject(mem);
	world_end(&world);
}

static void what_waits_for_a_user_event_is_held_until_it_is_set(void **state)
{
	struct noted noted = NOTED;
	struct world world;
	cl_event user, held, after, read;
	int data = 2, got = 0;
	const size_t one = 1;
	int factor = 5;
	cl_int error;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &data);
	user = clCreateUserEvent(world.context, &error);
	assert_cl(error);
	assert_int_equal(status_of(user), CL_SUBMITTED);
	assert_cl(clSetKernelArg(world.scale, 0, sizeof(mem), &mem));
	assert_cl(clSetKernelArg(world.scale, 1, sizeof(factor), &factor));
	assert_cl(clEnqueueNDRangeKernel(world.queue, world.scale, 1, NULL, &one, NULL, 1, &user, &held));
	factor = 7;	/* the held one keeps its snapshot */
	assert_cl(clSetKernelArg(world.scale, 1, sizeof(factor), &factor));
	assert_cl(clEnqueueNDRangeKernel(world.queue, world.scale, 1, NULL, &one, NULL, 0, NULL, &after));
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_FALSE, 0, 4, &got, 0, NULL, &read));
	assert_cl(clSetEventCallback(read, CL_COMPLETE, note, &noted));
	assert_cl(clFlush(world.queue));
	usleep(20000);
	assert_int_equal(status_of(held), CL_QUEUED);
	assert_int_equal(status_of(after), CL_QUEUED);
	assert_int_equal(clSetUserEventStatus(user, CL_SUBMITTED), CL_INVALID_VALUE);
	assert_cl(clSetUserEventStatus(user, CL_COMPLETE));
	assert_int_equal(clSetUserEventStatus(user, CL_COMPLETE), CL_INVALID_OPERATION);
	assert_cl(clFinish(world.queue));
	assert_int_equal(got, 70);
	noted_wait(&noted, 1);
	clReleaseEvent(user);
	clReleaseEvent(held);
	clReleaseEvent(after);
	clReleaseEvent(read);
	clReleaseMemObject(mem);
	world_end(&world);
}

static void CL_CALLBACK context_note(const char *text, const void *private_info, size_t bytes, void *data)
{
	(void)private_info;
	(void)bytes;
	assert_non_null(strstr(text, "-5"));
	++*(int *)data;
}

static void a_refused_command_without_an_event_is_told(void **state)
{
	cl_command_queue other, watched;
	struct world world;
	int one = 1, told = 0;
	const size_t single = 1;
	cl_context context;
	cl_program program;
	const char *source = "kernel scale";
	cl_kernel kernel;
	cl_event failed;
	cl_int error;
	cl_mem mem, theirs;

	(void)state;
	world_make(&world);
	other = clCreateCommandQueueWithProperties(world.context, device, NULL, &error);
	assert_cl(error);
	context = clCreateContext(NULL, 1, &device, context_note, &told, &error);
	assert_cl(error);
	watched = clCreateCommandQueueWithProperties(context, device, NULL, &error);
	assert_cl(error);
	mem = world_buffer(&world, 4, &one);
	assert_cl(clFinish(world.queue));
	SET(fail_kernels, 1);
	/* Told once, by the queue it was enqueued on; one on each is told by each. */
	assert_cl(world_scale(&world, mem, 1, 1, NULL));
	assert_cl(clEnqueueNDRangeKernel(other, world.scale, 1, NULL, &single, NULL, 0, NULL, NULL));
	assert_int_equal(clFinish(world.queue), CL_OUT_OF_RESOURCES);
	assert_cl(clFinish(world.queue));
	assert_cl(clFinish(watched));
	assert_int_equal(clFinish(other), CL_OUT_OF_RESOURCES);
	assert_cl(clFinish(other));
	assert_int_equal(told, 0);
	/* With an event, the event tells; what waits for it without one of its own has nothing to add. */
	assert_cl(world_scale(&world, mem, 1, 1, &failed));
	assert_cl(clEnqueueNDRangeKernel(world.queue, world.scale, 1, NULL, &single, NULL, 1, &failed, NULL));
	assert_cl(clFinish(world.queue));
	assert_int_equal(status_of(failed), CL_OUT_OF_RESOURCES);
	clReleaseEvent(failed);
	/* A blocking transfer tells as well, in either direction. */
	for (int write = 0; write < 2; write++) {
		assert_cl(world_scale(&world, mem, 1, 1, NULL));
		assert_cl(clFlush(world.queue));
		usleep(20000);
		assert_cl(clEnqueueReadBuffer(other, mem, CL_TRUE, 0, 4, &one, 0, NULL, NULL));
		assert_int_equal(write ? clEnqueueWriteBuffer(world.queue, mem, CL_TRUE, 0, 4, &one, 0, NULL, NULL) :
				 clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, 4, &one, 0, NULL, NULL),
				 CL_OUT_OF_RESOURCES);
		assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, 4, &one, 0, NULL, NULL));
	}
	/* The context's callback hears of its own queues only. */
	program = clCreateProgramWithSource(context, 1, &source, NULL, &error);
	assert_cl(error);
	assert_cl(clBuildProgram(program, 0, NULL, NULL, NULL, NULL));
	kernel = clCreateKernel(program, "scale", &error);
	assert_cl(error);
	theirs = clCreateBuffer(context, 0, 4, NULL, &error);
	assert_cl(error);
	assert_cl(clSetKernelArg(kernel, 0, sizeof(theirs), &theirs));
	assert_cl(clSetKernelArg(kernel, 1, sizeof(one), &one));
	assert_cl(clEnqueueNDRangeKernel(watched, kernel, 1, NULL, &single, NULL, 0, NULL, NULL));
	assert_int_equal(clFinish(watched), CL_OUT_OF_RESOURCES);
	assert_int_equal(told, 1);
	SET(fail_kernels, 0);
	clReleaseKernel(kernel);
	clReleaseProgram(program);
	clReleaseMemObject(theirs);
	clReleaseCommandQueue(watched);
	clReleaseContext(context);
	clReleaseCommandQueue(other);
	clReleaseMemObject(mem);
	world_end(&world);
}

/* What a held command uses lives until it has run, whatever the application lets go of (OpenCL 3.0 §5.2.1, §5.9.1). */
static void a_held_command_keeps_what_it_uses(void **state)
{
	struct world world;
	cl_event user, read;
	int data = 7, other = 1, got = 0;
	const size_t one = 1;
	const int factor = 10;
	cl_mem mem, next;
	cl_kernel scale;
	cl_int error;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &data);
	user = clCreateUserEvent(world.context, &error);
	assert_cl(error);
	scale = clCreateKernel(world.program, "scale", &error);
	assert_cl(error);
	assert_cl(clSetKernelArg(scale, 0, sizeof(mem), &mem));
	assert_cl(clSetKernelArg(scale, 1, sizeof(factor), &factor));
	assert_cl(clEnqueueNDRangeKernel(world.queue, scale, 1, NULL, &one, NULL, 1, &user, NULL));
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_FALSE, 0, 4, &got, 0, NULL, &read));
	assert_cl(clReleaseKernel(scale));
	assert_cl(clReleaseMemObject(mem));
	next = world_buffer(&world, 4, &other);	/* might be given the same place and id */
	assert_cl(clSetUserEventStatus(user, CL_COMPLETE));
	assert_cl(clWaitForEvents(1, &read));
	assert_int_equal(got, 70);
	assert_cl(clEnqueueReadBuffer(world.queue, next, CL_TRUE, 0, 4, &got, 0, NULL, NULL));
	assert_int_equal(got, 1);
	clReleaseEvent(user);
	clReleaseEvent(read);
	clReleaseMemObject(next);
	world_end(&world);
}

/* Non-blocking calls return whatever they wait for: this thread is the one that sets the user event. */
static void non_blocking_transfers_wait_for_a_user_event_elsewhere(void **state)
{
	const size_t origin[3] = { 0, 0, 0 }, region[3] = { 4, 2, 1 };
	int data[4] = { 1, 2, 3, 4 }, source[4] = { 10, 20, 30, 40 }, got[4] = { 0 }, relay = 0;
	struct world world;
	cl_event user, write, read, last;
	cl_int error;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, sizeof(data), data);
	user = clCreateUserEvent(world.context, &error);
	assert_cl(error);
	assert_cl(clEnqueueWriteBufferRect(world.queue, mem, CL_FALSE, origin, origin, region, 8, 0, 8, 0, source, 1, &user,
					   &write));
	assert_cl(clEnqueueReadBufferRect(world.queue, mem, CL_FALSE, origin, origin, region, 8, 0, 8, 0, got, 0, NULL, &read));
	/* A write from where a read that has not run yet will put it. */
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_FALSE, 0, 4, &relay, 0, NULL, NULL));
	assert_cl(clEnqueueWriteBuffer(world.queue, mem, CL_FALSE, 12, 4, &relay, 0, NULL, &last));
	assert_cl(clFlush(world.queue));
	usleep(10000);
	assert_int_equal(status_of(write), CL_QUEUED);
	assert_int_equal(status_of(read), CL_QUEUED);
	assert_int_equal(got[0], 0);
	assert_cl(clSetUserEventStatus(user, CL_COMPLETE));
	assert_cl(clWaitForEvents(1, &last));
	assert_int_equal(status_of(write), CL_COMPLETE);
	assert_int_equal(got[0], 10);
	assert_int_equal(got[1], 0);
	assert_int_equal(got[2], 30);
	assert_int_equal(relay, 10);
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	assert_int_equal(got[0], 10);
	assert_int_equal(got[3], 10);
	clReleaseEvent(user);
	clReleaseEvent(write);
	clReleaseEvent(read);
	clReleaseEvent(last);
	clReleaseMemObject(mem);
	world_end(&world);
}

static void a_user_event_that_fails_fails_what_waits(void **state)
{
	struct world world;
	cl_event user, held;
	int data = 2, got = 0;
	const size_t one = 1;
	cl_int error;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &data);
	user = clCreateUserEvent(world.context, &error);
	assert_cl(error);
	assert_cl(world_scale(&world, mem, 1, 1, NULL));
	assert_cl(clEnqueueNDRangeKernel(world.queue, world.scale, 1, NULL, &one, NULL, 1, &user, &held));
	assert_cl(clSetUserEventStatus(user, -5));
	assert_int_equal(clWaitForEvents(1, &held), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	assert_int_equal(status_of(held), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	assert_int_equal(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, 4, &got, 1, &user, NULL),
			 CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	assert_cl(clFinish(world.queue));
	clReleaseEvent(user);
	clReleaseEvent(held);
	clReleaseMemObject(mem);
	world_end(&world);
}

/* ---- loss ------------------------------------------------------------------------------------------ */

static void a_lost_device_answers_errors_and_a_new_context_works(void **state)
{
	struct noted noted = NOTED;
	struct world world, next;
	cl_event event, waiting;
	int one = 1, got = 0;
	cl_int error;
	cl_mem mem, fresh;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &one);
	assert_cl(clFinish(world.queue));
	SET(hold, 1);
	assert_cl(world_scale(&world, mem, 1, 1, &event));
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_FALSE, 0, 4, &got, 0, NULL, &waiting));
	assert_cl(clSetEventCallback(waiting, CL_COMPLETE, note, &noted));
	SET(die, 1);
	assert_int_equal(clWaitForEvents(1, &waiting), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	assert_true(status_of(event) < 0);
	assert_true(status_of(waiting) < 0);
	noted_wait(&noted, 1);
	assert_true(noted.status < 0);
	SET(hold, 0);
	assert_int_equal(clFinish(world.queue), CL_DEVICE_NOT_AVAILABLE);
	assert_int_equal(clFlush(world.queue), CL_DEVICE_NOT_AVAILABLE);
	assert_int_equal(world_scale(&world, mem, 1, 1, NULL), CL_DEVICE_NOT_AVAILABLE);
	assert_int_equal(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, 4, &got, 0, NULL, NULL), CL_DEVICE_NOT_AVAILABLE);
	assert_null(clCreateBuffer(world.context, 0, 4, NULL, &error));
	assert_int_equal(error, CL_DEVICE_NOT_AVAILABLE);
	assert_int_equal(clBuildProgram(world.program, 0, NULL, NULL, NULL, NULL), CL_INVALID_OPERATION);
	world_make(&next);	/* while the old one still stands */
	got = 3;
	fresh = world_buffer(&next, 4, &one);
	assert_cl(clEnqueueWriteBuffer(next.queue, fresh, CL_TRUE, 0, 4, &got, 0, NULL, NULL));
	clReleaseMemObject(fresh);
	clReleaseEvent(event);
	clReleaseEvent(waiting);
	clReleaseMemObject(mem);
	world_end(&world);
	assert_int_equal(GET(contexts), 1);
	world_end(&next);
}

static void a_kernel_that_kills_its_engine_wakes_who_waits(void **state)
{
	const char *source = "crash";
	struct world world, next;
	cl_program program;
	cl_kernel kernel;
	const size_t one = 1;
	cl_int error;

	(void)state;
	world_make(&world);
	program = clCreateProgramWithSource(world.context, 1, &source, NULL, &error);
	assert_cl(error);
	assert_cl(clBuildProgram(program, 1, &device, "-w", NULL, NULL));
	kernel = clCreateKernel(program, "crash", &error);
	assert_cl(error);
	SET(kernel_us, 2000);
	assert_cl(clEnqueueNDRangeKernel(world.queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	assert_int_equal(clFinish(world.queue), CL_DEVICE_NOT_AVAILABLE);
	clReleaseKernel(kernel);
	clReleaseProgram(program);
	world_end(&world);
	world_make(&next);
	world_end(&next);
}

static void the_child_of_a_fork_gets_errors_and_can_start_anew(void **state)
{
	struct world world;
	int one = 1, status;
	cl_mem mem;
	pid_t pid;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &one);
	assert_cl(clFinish(world.queue));
	pid = fork();
	if (pid == 0) {
		const char *source = "scale";
		cl_int error;
		cl_context context;
		cl_program program;

		if (clFinish(world.queue) != CL_DEVICE_NOT_AVAILABLE)
			_exit(1);
		if (clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, 4, &one, 0, NULL, NULL) != CL_DEVICE_NOT_AVAILABLE)
			_exit(2);
		if (clReleaseMemObject(mem) != CL_SUCCESS)
			_exit(3);
		context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
		if (error)
			_exit(4);
		program = clCreateProgramWithSource(context, 1, &source, NULL, &error);
		_exit(clBuildProgram(program, 0, NULL, NULL, NULL, NULL) ? 5 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_cl(world_scale(&world, mem, 1, 1, NULL));	/* the parent goes on */
	assert_cl(clFinish(world.queue));
	clReleaseMemObject(mem);
	world_end(&world);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_check)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_callback_comes_from_another_thread),
		TEST(profiling_is_refused_where_the_specification_says),
		TEST(times_of_what_is_done_here_fit_the_devices),
		TEST(events_of_two_queues_are_waited_for),
		TEST(a_list_longer_than_the_wires_is_folded),
		TEST(a_failed_command_fails_what_waits_for_it),
		TEST(what_waits_for_a_user_event_is_held_until_it_is_set),
		TEST(a_user_event_that_fails_fails_what_waits),
		TEST(a_refused_command_without_an_event_is_told),
		TEST(a_held_command_keeps_what_it_uses),
		TEST(non_blocking_transfers_wait_for_a_user_event_elsewhere),
		TEST(a_lost_device_answers_errors_and_a_new_context_works),
		TEST(a_kernel_that_kills_its_engine_wakes_who_waits),
		TEST(the_child_of_a_fork_gets_errors_and_can_start_anew),
	};

	return cmocka_run_group_tests_name("shim/opencl events", tests, fixture_setup, NULL);
}
