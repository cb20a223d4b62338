/* SPDX-License-Identifier: MIT */
/* Kernels, transfers, maps and their order, on both paths to memory (VGPU_FORCE_STAGING, TEST_STAGED). */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/shim/opencl/fixture.h"

static void a_kernel_computes_and_its_result_is_read(void **state)
{
	struct world world;
	int data[64], got[64];
	cl_mem mem;

	(void)state;
	world_make(&world);
	for (int i = 0; i < 64; i++)
		data[i] = i;
	mem = world_buffer(&world, sizeof(data), data);
	assert_cl(world_scale(&world, mem, 3, 64, NULL));
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	for (int i = 0; i < 64; i++)
		assert_int_equal(got[i], 3 * i);
	assert_cl(clReleaseMemObject(mem));
	world_end(&world);
}

static void transfers_keep_their_place_in_the_queue(void **state)
{
	struct world world;
	int data[256], first[256], second[256];
	cl_event events[2];
	cl_int status;
	cl_mem mem;

	(void)state;
	world_make(&world);
	for (int i = 0; i < 256; i++)
		data[i] = 1;
	mem = world_buffer(&world, sizeof(data), data);
	assert_cl(clFinish(world.queue));
	SET(hold, 1);
	assert_cl(world_scale(&world, mem, 5, 256, NULL));
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_FALSE, 0, sizeof(first), first, 0, NULL, &events[0]));
	for (int i = 0; i < 256; i++)
		data[i] = 7;
	assert_cl(clEnqueueWriteBuffer(world.queue, mem, CL_FALSE, 0, sizeof(data), data, 0, NULL, NULL));
	memset(data, 0, sizeof(data));	/* staged at once */
	assert_cl(world_scale(&world, mem, 2, 256, NULL));
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_FALSE, 0, sizeof(second), second, 0, NULL, &events[1]));
	assert_cl(clGetEventInfo(events[0], CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	assert_int_not_equal(status, CL_COMPLETE);
	SET(hold, 0);
	/* Only the last is waited for: the earlier read's bytes must be there too. */
	assert_cl(clWaitForEvents(1, &events[1]));
	for (int i = 0; i < 256; i++) {
		assert_int_equal(first[i], 5);
		assert_int_equal(second[i], 14);
	}
	clReleaseEvent(events[0]);
	clReleaseEvent(events[1]);
	clReleaseMemObject(mem);
	world_end(&world);
}

static void a_write_of_what_a_read_delivers_sees_it(void **state)
{
	struct world world;
	int data[64], through[64], got[64];
	cl_mem from, to;

	(void)state;
	world_make(&world);
	for (int i = 0; i < 64; i++)
		data[i] = i + 1;
	from = world_buffer(&world, sizeof(data), data);
	to = world_buffer(&world, sizeof(data), NULL);
	memset(through, 0, sizeof(through));
	assert_cl(clFinish(world.queue));
	SET(kernel_us, 3000);
	assert_cl(world_scale(&world, from, 10, 64, NULL));
	assert_cl(clEnqueueReadBuffer(world.queue, from, CL_FALSE, 0, sizeof(data), through, 0, NULL, NULL));
	assert_cl(clEnqueueWriteBuffer(world.queue, to, CL_FALSE, 0, sizeof(data), through, 0, NULL, NULL));
	assert_cl(clEnqueueReadBuffer(world.queue, to, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	for (int i = 0; i < 64; i++)
		assert_int_equal(got[i], 10 * (i + 1));
	clReleaseMemObject(from);
	clReleaseMemObject(to);
	world_end(&world);
}

static void fill_and_copy_are_done_by_the_engine(void **state)
{
	struct world world;
	uint32_t pattern[4] = { 1, 2, 3, 4 }, got[64];
	cl_mem from, to;

	(void)state;
	world_make(&world);
	from = world_buffer(&world, sizeof(got), NULL);
	to = world_buffer(&world, sizeof(got), NULL);
	assert_cl(clEnqueueFillBuffer(world.queue, from, pattern, sizeof(pattern), 0, sizeof(got), 0, NULL, NULL));
	assert_cl(clEnqueueFillBuffer(world.queue, to, pattern, 4, 0, sizeof(got), 0, NULL, NULL));
	assert_cl(clEnqueueCopyBuffer(world.queue, from, to, 16, 128, 64, 0, NULL, NULL));
	assert_cl(clEnqueueReadBuffer(world.queue, to, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	for (int i = 0; i < 64; i++)
		assert_int_equal(got[i], i >= 32 && i < 48 ? (unsigned)i % 4 + 1 : 1);
	assert_int_equal(clEnqueueCopyBuffer(world.queue, from, from, 0, 32, 64, 0, NULL, NULL), CL_MEM_COPY_OVERLAP);
	clReleaseMemObject(from);
	clReleaseMemObject(to);
	world_end(&world);
}

static void a_map_is_the_memory_itself_on_a_unified_device(void **state)
{
	struct world world;
	cl_uint count;
	int *first, *second;
	cl_int error;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4096, NULL);
	first = clEnqueueMapBuffer(world.queue, mem, CL_TRUE, CL_MAP_WRITE, 0, 4096, 0, NULL, NULL, &error);
	assert_cl(error);
	for (int i = 0; i < 1024; i++)
		first[i] = i;
	second = clEnqueueMapBuffer(world.queue, mem, CL_TRUE, CL_MAP_READ, 64, 128, 0, NULL, NULL, &error);
	assert_cl(error);
	assert_cl(clGetMemObjectInfo(mem, CL_MEM_MAP_COUNT, sizeof(count), &count, NULL));
	assert_int_equal(count, 2);
	if (!fixture_staged())
		assert_ptr_equal(second, first + 16);
	assert_cl(clEnqueueUnmapMemObject(world.queue, mem, second, 0, NULL, NULL));
	assert_cl(clEnqueueUnmapMemObject(world.queue, mem, first, 0, NULL, NULL));
	assert_int_equal(clEnqueueUnmapMemObject(world.queue, mem, first, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_cl(world_scale(&world, mem, 2, 1024, NULL));
	first = clEnqueueMapBuffer(world.queue, mem, CL_TRUE, CL_MAP_READ, 0, 4096, 0, NULL, NULL, &error);
	assert_cl(error);
	for (int i = 0; i < 1024; i++)
		assert_int_equal(first[i], 2 * i);
	assert_cl(clEnqueueUnmapMemObject(world.queue, mem, first, 0, NULL, NULL));
	clReleaseMemObject(mem);
	world_end(&world);
}

static void an_applications_own_memory_is_copied_at_map_and_unmap(void **state)
{
	static int own[256];
	struct world world;
	cl_int error;
	cl_mem mem;
	int *mapped;

	(void)state;
	world_make(&world);
	for (int i = 0; i < 256; i++)
		own[i] = i;
	mem = clCreateBuffer(world.context, CL_MEM_USE_HOST_PTR, sizeof(own), own, &error);
	assert_cl(error);
	assert_cl(world_scale(&world, mem, 3, 256, NULL));
	mapped = clEnqueueMapBuffer(world.queue, mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, sizeof(own), 0, NULL, NULL,
				    &error);
	assert_cl(error);
	assert_ptr_equal(mapped, own);
	for (int i = 0; i < 256; i++)
		assert_int_equal(own[i], 3 * i);
	own[5] = 1000;
	assert_cl(clEnqueueUnmapMemObject(world.queue, mem, mapped, 0, NULL, NULL));
	assert_cl(world_scale(&world, mem, 2, 256, NULL));
	mapped = clEnqueueMapBuffer(world.queue, mem, CL_TRUE, CL_MAP_READ, 0, sizeof(own), 0, NULL, NULL, &error);
	assert_cl(error);
	assert_int_equal(own[5], 2000);
	assert_cl(clEnqueueUnmapMemObject(world.queue, mem, mapped, 0, NULL, NULL));
	clReleaseMemObject(mem);
	world_end(&world);
}

/* OpenCL 3.0 §5.5.1: a buffer lives until the commands that use it are over; so does what they go through. */
static void a_buffer_released_early_keeps_what_its_commands_go_through(void **state)
{
	int data[64], got[64], zero[64] = { 0 }, other_data[64];
	struct world world;
	cl_command_queue queue;
	cl_mem mapped, other;
	cl_event map;
	cl_int error;

	(void)state;
	world_make(&world);
	for (int i = 0; i < 64; i++) {
		data[i] = i + 1;
		other_data[i] = 1000 + i;
	}
	for (int unmap = 0; unmap < 2; unmap++) {
		queue = clCreateCommandQueue(world.context, device, 0, &error);
		assert_cl(error);
		mapped = world_buffer(&world, sizeof(data), data);
		other = world_buffer(&world, sizeof(zero), zero);
		assert_cl(clFinish(world.queue));
		SET(hold, 1);
		/* Something ahead, so that nothing is done here and now. */
		assert_cl(world_scale(&world, other, 1, 1, NULL));
		assert_cl(clEnqueueMarkerWithWaitList(queue, 0, NULL, NULL));
		void *pointer = clEnqueueMapBuffer(queue, mapped, CL_FALSE, CL_MAP_READ, 0, sizeof(data), 0, NULL, &map,
						   &error);
		assert_cl(error);
		assert_cl(clEnqueueReadBuffer(queue, mapped, CL_FALSE, 0, sizeof(got), got, 0, NULL, NULL));
		if (unmap)
			assert_cl(clEnqueueUnmapMemObject(queue, mapped, pointer, 0, NULL, NULL));
		assert_cl(clReleaseMemObject(mapped));
		assert_cl(clReleaseCommandQueue(queue));
		/* Staging of the same size, taken now, is filled by nobody but its own command. */
		assert_cl(clEnqueueWriteBuffer(world.queue, other, CL_FALSE, 0, sizeof(other_data), other_data, 0, NULL, NULL));
		SET(hold, 0);
		assert_cl(clWaitForEvents(1, &map));
		assert_cl(clFinish(world.queue));
		assert_cl(clReleaseEvent(map));
		assert_cl(clEnqueueReadBuffer(world.queue, other, CL_TRUE, 0, sizeof(got), zero, 0, NULL, NULL));
		assert_memory_equal(zero, other_data, sizeof(zero));
		assert_memory_equal(got, data, sizeof(got));
		memset(zero, 0, sizeof(zero));
		assert_cl(clReleaseMemObject(other));
	}
	world_end(&world);
}

/* The same with everything held back by a user event, when nothing is in the ring yet that could keep it. */
static void a_held_map_that_is_unmapped_keeps_its_memory(void **state)
{
	int data[64], zero[64] = { 0 }, other_data[64], got[64];
	struct world world;
	cl_command_queue queue;
	cl_mem mapped, other;
	cl_event user;
	void *pointer;
	cl_int error;

	(void)state;
	world_make(&world);
	for (int i = 0; i < 64; i++) {
		data[i] = i + 1;
		other_data[i] = 1000 + i;
	}
	queue = clCreateCommandQueue(world.context, device, 0, &error);
	assert_cl(error);
	mapped = world_buffer(&world, sizeof(data), data);
	other = world_buffer(&world, sizeof(zero), zero);
	user = clCreateUserEvent(world.context, &error);
	assert_cl(error);
	pointer = clEnqueueMapBuffer(queue, mapped, CL_FALSE, CL_MAP_READ, 0, sizeof(data), 1, &user, NULL, &error);
	assert_cl(error);
	assert_cl(clEnqueueUnmapMemObject(queue, mapped, pointer, 0, NULL, NULL));
	assert_cl(clReleaseMemObject(mapped));
	assert_cl(clFinish(world.queue));
	SET(hold, 1);
	assert_cl(clSetUserEventStatus(user, CL_COMPLETE));
	assert_cl(world_scale(&world, other, 1, 1, NULL));
	assert_cl(clEnqueueWriteBuffer(world.queue, other, CL_FALSE, 0, sizeof(other_data), other_data, 0, NULL, NULL));
	SET(hold, 0);
	assert_cl(clFinish(queue));
	assert_cl(clEnqueueReadBuffer(world.queue, other, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	assert_memory_equal(got, other_data, sizeof(got));
	clReleaseEvent(user);
	clReleaseCommandQueue(queue);
	clReleaseMemObject(other);
	world_end(&world);
}

struct ended {
	int *host;
	int seen;
};
static void CL_CALLBACK note_end(cl_mem mem, void *data)
{
	struct ended *ended = data;

	(void)mem;
	ended->seen = ended->host[0];
}

/* The destructor callback is where an application frees its host_ptr: a map under way must have filled it by then. */
static void an_applications_own_memory_is_its_own_again_when_the_buffer_ends(void **state)
{
	int data[64] = { 5 }, other_data = 1;
	struct ended ended = { data, 0 };
	struct world world;
	cl_mem mem, other;
	cl_event map;
	cl_int error;

	(void)state;
	world_make(&world);
	mem = clCreateBuffer(world.context, CL_MEM_USE_HOST_PTR, sizeof(data), data, &error);
	assert_cl(error);
	other = world_buffer(&world, 4, &other_data);
	assert_cl(clSetMemObjectDestructorCallback(mem, note_end, &ended));
	assert_cl(clFinish(world.queue));
	data[0] = 0;	/* the device has its copy */
	SET(hold, 1);
	assert_cl(world_scale(&world, other, 1, 1, NULL));
	assert_non_null(clEnqueueMapBuffer(world.queue, mem, CL_FALSE, CL_MAP_READ, 0, sizeof(data), 0, NULL, &map, &error));
	assert_cl(clReleaseMemObject(mem));
	assert_int_equal(ended.seen, 0);
	SET(hold, 0);
	assert_cl(clWaitForEvents(1, &map));
	assert_int_equal(ended.seen, 5);
	clReleaseEvent(map);
	clReleaseMemObject(other);
	world_end(&world);
}

static void rectangles_go_where_they_should(void **state)
{
	const size_t buffer_origin[3] = { 4, 1, 0 }, host_origin[3] = { 0, 0, 0 }, region[3] = { 8, 3, 2 };
	uint8_t host[48], got[16 * 8 * 2], back[48];
	struct world world;
	cl_mem mem, other;

	(void)state;
	world_make(&world);
	for (size_t i = 0; i < sizeof(host); i++)
		host[i] = (uint8_t)(i + 1);
	memset(got, 0, sizeof(got));
	mem = world_buffer(&world, sizeof(got), got);
	other = world_buffer(&world, sizeof(got), got);
	assert_cl(clEnqueueWriteBufferRect(world.queue, mem, CL_TRUE, buffer_origin, host_origin, region, 16, 128, 0, 0, host,
					   0, NULL, NULL));
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	for (size_t z = 0; z < 2; z++)
		for (size_t y = 0; y < 8; y++)
			for (size_t x = 0; x < 16; x++) {
				bool inside = x >= 4 && x < 12 && y >= 1 && y < 4;

				assert_int_equal(got[z * 128 + y * 16 + x],
						 inside ? z * 24 + (y - 1) * 8 + (x - 4) + 1 : 0);
			}
	assert_cl(clEnqueueCopyBufferRect(world.queue, mem, other, buffer_origin, host_origin, region, 16, 128, 16, 128, 0,
					  NULL, NULL));
	assert_cl(clEnqueueReadBufferRect(world.queue, other, CL_TRUE, host_origin, host_origin, region, 16, 128, 0, 0, back,
					  0, NULL, NULL));
	assert_memory_equal(back, host, sizeof(back));
	assert_int_equal(clEnqueueReadBufferRect(world.queue, other, CL_TRUE, host_origin, host_origin, region, 7, 128, 0, 0,
						 back, 0, NULL, NULL), CL_INVALID_VALUE);
	clReleaseMemObject(mem);
	clReleaseMemObject(other);
	world_end(&world);
}

static void a_sub_buffer_is_a_part_of_its_parent(void **state)
{
	const cl_buffer_region region = { 1024, 512 }, crooked = { 100, 64 }, outside = { 4096, 512 };
	struct world world;
	int got[1024];
	cl_int error;
	cl_mem mem, part;

	(void)state;
	if (fixture_staged() && fixture_version_1()) {	/* answers CL_OUT_OF_RESOURCES there, as docs/OPENCL.md says */
		world_make(&world);
		mem = world_buffer(&world, 4096, NULL);
		assert_null(clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &error));
		assert_int_equal(error, CL_OUT_OF_RESOURCES);
		clReleaseMemObject(mem);
		world_end(&world);
		return;
	}
	world_make(&world);
	for (int i = 0; i < 1024; i++)
		got[i] = 1;
	mem = world_buffer(&world, sizeof(got), got);
	assert_null(clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &crooked, &error));
	assert_int_equal(error, CL_MISALIGNED_SUB_BUFFER_OFFSET);
	assert_null(clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &outside, &error));
	assert_int_equal(error, CL_INVALID_VALUE);
	part = clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
	assert_cl(error);
	assert_cl(world_scale(&world, part, 9, 128, NULL));
	clReleaseMemObject(part);
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	for (int i = 0; i < 1024; i++)
		assert_int_equal(got[i], i >= 256 && i < 384 ? 9 : 1);
	clReleaseMemObject(mem);
	world_end(&world);
}

/* 250 KiB of ring in records of about 200 bytes: many laps. */
static void the_ring_wraps_many_times(void **state)
{
	struct world world;
	int one = 1, got[1];
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &one);
	for (int i = 0; i < 20000; i++)
		assert_cl(world_scale(&world, mem, i % 2 ? -1 : 1, 1, NULL));
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, 4, got, 0, NULL, NULL));
	assert_int_equal(got[0], 1);
	clReleaseMemObject(mem);
	world_end(&world);
}

static void more_living_events_than_slots(void **state)
{
	enum { COUNT = 20000 };
	cl_event *events = calloc(COUNT, sizeof(*events));
	struct world world;
	int one = 1;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &one);
	for (int i = 0; i < COUNT; i++)
		assert_cl(world_scale(&world, mem, 1, 1, &events[i]));
	assert_cl(clWaitForEvents(COUNT, events));
	for (int i = 0; i < COUNT; i++) {
		cl_ulong start, end;

		assert_cl(clGetEventProfilingInfo(events[i], CL_PROFILING_COMMAND_START, 8, &start, NULL));
		assert_cl(clGetEventProfilingInfo(events[i], CL_PROFILING_COMMAND_END, 8, &end, NULL));
		assert_true(start <= end && start > 1000000000000ull);
		assert_cl(clReleaseEvent(events[i]));
	}
	clReleaseMemObject(mem);
	world_end(&world);
	free(events);
}

struct worker {
	struct world *world;
	pthread_t thread;
	bool wrong;
};

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct world *world = worker->world;
	cl_int error;
	cl_kernel kernel = clCreateKernel(world->program, "scale", &error);
	cl_command_queue queue = clCreateCommandQueue(world->context, device, 0, &error);
	const size_t count = 16;

	for (int round = 0; round < 300 && !worker->wrong; round++) {
		int data[16], factor = round % 7 + 1;
		cl_event event;
		cl_mem mem;

		for (int i = 0; i < 16; i++)
			data[i] = i;
		mem = clCreateBuffer(world->context, CL_MEM_COPY_HOST_PTR, sizeof(data), data, &error);
		worker->wrong |= error != CL_SUCCESS;
		clSetKernelArg(kernel, 0, sizeof(mem), &mem);
		clSetKernelArg(kernel, 1, sizeof(factor), &factor);
		worker->wrong |= clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &count, NULL, 0, NULL, &event) != CL_SUCCESS;
		worker->wrong |= clEnqueueReadBuffer(queue, mem, round % 2 ? CL_TRUE : CL_FALSE, 0, sizeof(data), data, 1, &event,
						     NULL) != CL_SUCCESS;
		clReleaseEvent(event);
		worker->wrong |= clFinish(queue) != CL_SUCCESS;
		for (int i = 0; i < 16; i++)
			worker->wrong |= data[i] != i * factor;
		clReleaseMemObject(mem);
	}
	clReleaseCommandQueue(queue);
	clReleaseKernel(kernel);
	return NULL;
}

static void eight_threads_disturb_each_other_in_nothing(void **state)
{
	struct worker workers[8] = { 0 };
	struct world world;

	(void)state;
	world_make(&world);
	for (int i = 0; i < 8; i++) {
		workers[i].world = &world;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_false(workers[i].wrong);
	}
	world_end(&world);
}

static void threads_also_wait_well_when_the_flag_is_used_up_early(void **state)
{
	SET(late_wake, 1);
	SET(kernel_us, 50);
	eight_threads_disturb_each_other_in_nothing(state);
}

static uint32_t bells(void)
{
	return GET(doorbells) + GET(futex_bells);
}

/* On one host both ways past the device are taken, elsewhere neither. */
static void short_waits_submit_nothing_on_one_host(void **state)
{
	struct world world;
	int one = 1;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &one);
	assert_cl(clFinish(world.queue));
	uint32_t wakes = GET(wakes), doorbells = GET(doorbells), futex_wakes = GET(futex_wakes), futex_bells = GET(futex_bells);
	SET(kernel_us, 3000);	/* nobody spins for that long */
	for (int i = 0; i < 10; i++) {
		usleep(2000);	/* it sleeps */
		assert_cl(world_scale(&world, mem, 1, 1, NULL));
		assert_cl(clFinish(world.queue));
	}
	if (GET(same_host)) {
		assert_int_equal(GET(wakes), wakes);
		assert_int_equal(GET(doorbells), doorbells);
		assert_in_range(GET(futex_wakes), futex_wakes + 10, futex_wakes + 20);
		assert_in_range(GET(futex_bells), futex_bells + 5, futex_bells + 20);
	} else {
		assert_in_range(GET(wakes), wakes + 10, wakes + 20);
		assert_in_range(GET(doorbells), doorbells + 5, doorbells + 20);
		assert_int_equal(GET(futex_wakes) + GET(futex_bells), 0);
	}
	/* A long wait turns to the fence: that is what also tells of a loss. */
	wakes = GET(wakes);
	SET(kernel_us, 400000);
	assert_cl(world_scale(&world, mem, 1, 1, NULL));
	assert_cl(clFinish(world.queue));
	assert_in_range(GET(wakes), wakes + 1, wakes + 10);
	clReleaseMemObject(mem);
	world_end(&world);
}

/* The engine is awake: no doorbell, no fence, whatever is enqueued. */
static void an_enqueue_makes_no_system_call_while_the_engine_is_awake(void **state)
{
	struct world world;
	uint32_t doorbells, wakes;
	int one = 1;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &one);
	SET(hold, 1);
	assert_cl(world_scale(&world, mem, 1, 1, NULL));
	assert_cl(clFlush(world.queue));
	usleep(2000);
	doorbells = bells();
	wakes = GET(wakes);
	for (int i = 0; i < 500; i++)
		assert_cl(world_scale(&world, mem, 1, 1, NULL));
	assert_int_equal(bells(), doorbells);
	assert_int_equal(GET(wakes), wakes);
	SET(hold, 0);
	assert_cl(clFinish(world.queue));
	clReleaseMemObject(mem);
	world_end(&world);
}

static void one_doorbell_wakes_a_sleeping_engine(void **state)
{
	struct world world;
	uint32_t doorbells;
	int one = 1;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, 4, &one);
	/* The 16 KiB after which a commit looks at the engine by itself are to begin here, not to end among the ten: a look is
	 * what rings a sleeping engine's bell within a series that nobody flushes. */
	assert_cl(clFinish(world.queue));
	usleep(5000);		/* it sleeps */
	doorbells = bells();
	while (bells() == doorbells)
		assert_cl(world_scale(&world, mem, 1, 1, NULL));
	assert_cl(clFinish(world.queue));
	usleep(5000);
	doorbells = bells();
	for (int i = 0; i < 10; i++)
		assert_cl(world_scale(&world, mem, 1, 1, NULL));
	assert_int_equal(bells(), doorbells);
	assert_cl(clFinish(world.queue));
	assert_int_equal(bells(), doorbells + 1);
	clReleaseMemObject(mem);
	world_end(&world);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_check)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_kernel_computes_and_its_result_is_read),
		TEST(transfers_keep_their_place_in_the_queue),
		TEST(a_write_of_what_a_read_delivers_sees_it),
		TEST(fill_and_copy_are_done_by_the_engine),
		TEST(a_map_is_the_memory_itself_on_a_unified_device),
		TEST(an_applications_own_memory_is_copied_at_map_and_unmap),
		TEST(a_buffer_released_early_keeps_what_its_commands_go_through),
		TEST(a_held_map_that_is_unmapped_keeps_its_memory),
		TEST(an_applications_own_memory_is_its_own_again_when_the_buffer_ends),
		TEST(rectangles_go_where_they_should),
		TEST(a_sub_buffer_is_a_part_of_its_parent),
		TEST(the_ring_wraps_many_times),
		TEST(more_living_events_than_slots),
		TEST(eight_threads_disturb_each_other_in_nothing),
		TEST(threads_also_wait_well_when_the_flag_is_used_up_early),
		TEST(short_waits_submit_nothing_on_one_host),
		TEST(an_enqueue_makes_no_system_call_while_the_engine_is_awake),
		TEST(one_doorbell_wakes_a_sleeping_engine),
	};

	return cmocka_run_group_tests_name("shim/opencl commands", tests, fixture_setup, NULL);
}
