/* SPDX-License-Identifier: MIT */
/* What calls cost, counted where it would cost system calls, messages, memory or copies: no times. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/shim/opencl/fixture.h"

/* Each blob and each bell is a system call of the application's. (tests/e2e/counts.sh counts all of them, on a real engine.) */
static void unified_small_buffers_cost_no_system_call(void **state)
{
	enum { LIVING = 100, COUNT = 5000 };
	cl_mem living[LIVING] = { NULL };
	struct world world;
	uint32_t blobs, bells;

	(void)state;
	world_make(&world);
	for (int i = 0; i < LIVING; i++)	/* slabs for what is alive at once */
		living[i] = world_buffer(&world, 1 + (size_t)(i * 4099) % 16000, NULL);
	assert_cl(clFinish(world.queue));
	blobs = GET(blobs_made);
	bells = GET(doorbells) + GET(futex_bells);
	for (int i = 0; i < COUNT; i++) {
		clReleaseMemObject(living[i % LIVING]);
		living[i % LIVING] = world_buffer(&world, 1 + (size_t)(i * 4099) % 16000, NULL);
	}
	bells = GET(doorbells) + GET(futex_bells) - bells;
	/* The fake engine is slow, so what is on its way back is much: some slabs. */
	if (GET(blobs_made) - blobs > COUNT / 100 || bells > COUNT / 100)
		fail_msg("%d buffers: %u blobs, %u bells", COUNT, GET(blobs_made) - blobs, bells);
	for (int i = 0; i < LIVING; i++)
		clReleaseMemObject(living[i]);
	world_end(&world);
}

static void arguments_cost_no_record(void **state)
{
	struct world world;
	cl_mem mem[2];
	uint32_t records;

	(void)state;
	world_make(&world);
	for (int i = 0; i < 2; i++)
		mem[i] = world_buffer(&world, 4096, NULL);
	assert_cl(world_scale(&world, mem[0], 1, 1, NULL));
	assert_cl(clFinish(world.queue));
	SET(hold, 1);			/* what went to the engine now would stay, and be counted after */
	records = GET(records);
	for (int i = 0; i < 10000; i++) {
		assert_cl(clSetKernelArg(world.scale, 0, sizeof(cl_mem), &mem[i % 2]));
		assert_cl(clSetKernelArg(world.scale, 1, sizeof(i), &i));
	}
	SET(hold, 0);
	assert_cl(world_scale(&world, mem[0], 1, 1, NULL));
	assert_cl(clFinish(world.queue));
	assert_true(GET(records) - records <= 2);
	for (int i = 0; i < 2; i++)
		clReleaseMemObject(mem[i]);
	world_end(&world);
}

#define LARGE (8u << 20)

/* An application's own memory is copied once for each map and each unmap, by the processor and without staging, also behind
 * work that is under way. */
static void unified_a_host_pointer_costs_its_copies(void **state)
{
	int *own = malloc(LARGE), *mapped, other_data[4] = { 0 };
	struct world world;
	uint64_t before;
	uint32_t blobs;
	cl_mem mem, other;
	cl_event event;
	cl_int error;

	(void)state;
	assert_non_null(own);
	world_make(&world);
	other = world_buffer(&world, sizeof(other_data), other_data);
	for (size_t i = 0; i < LARGE / 4; i++)
		own[i] = (int)i;
	before = GET(blob_bytes);
	mem = clCreateBuffer(world.context, CL_MEM_USE_HOST_PTR, LARGE, own, &error);
	assert_cl(error);
	assert_true(GET(blob_bytes) - before <= LARGE + 4096);
	blobs = GET(blobs_made);
	for (int round = 1; round <= 3; round++) {
		/* A map that is not waited for, behind a kernel that changes all of it. */
		SET(kernel_us, 3000);
		assert_cl(world_scale(&world, mem, 2, LARGE / 4, NULL));
		mapped = clEnqueueMapBuffer(world.queue, mem, CL_FALSE, CL_MAP_READ | CL_MAP_WRITE, 0, LARGE, 0, NULL, &event, &error);
		assert_cl(error);
		assert_ptr_equal(mapped, own);
		assert_cl(clWaitForEvents(1, &event));
		assert_cl(clReleaseEvent(event));
		for (size_t i = 0; i < LARGE / 4; i += 1001)
			assert_int_equal(own[i], (int)i * 2);
		for (size_t i = 0; i < LARGE / 4; i++)
			own[i] = (int)i;
		assert_cl(clEnqueueUnmapMemObject(world.queue, mem, mapped, 0, NULL, NULL));
		assert_cl(clFinish(world.queue));
		/* One that is, and an unmap behind work on something else. */
		mapped = clEnqueueMapBuffer(world.queue, mem, CL_TRUE, CL_MAP_WRITE, 0, LARGE, 0, NULL, NULL, &error);
		assert_cl(error);
		assert_int_equal(own[5], 5);
		own[5] = 100 + round;
		assert_cl(world_scale(&world, other, 1, 4, NULL));
		assert_cl(clEnqueueUnmapMemObject(world.queue, mem, mapped, 0, NULL, NULL));
		own[5] = -1;	/* it has been taken */
		assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 20, 4, other_data, 0, NULL, NULL));
		assert_int_equal(other_data[0], 100 + round);
		own[5] = 5;
		assert_cl(clEnqueueWriteBuffer(world.queue, mem, CL_TRUE, 20, 4, own + 5, 0, NULL, NULL));
	}
	SET(kernel_us, 0);
	assert_int_equal(GET(blobs_made), blobs);	/* 8 MiB of staging would have been one each time */
	clReleaseMemObject(mem);
	clReleaseMemObject(other);
	world_end(&world);
	free(own);
}

/* With a list to wait for, the application may write until that is over. */
static void an_unmap_waits_for_its_list_before_it_copies(void **state)
{
	int own[4] = { 1, 2, 3, 4 }, seen[4] = { 0 };
	struct world world;
	cl_event user;
	cl_int error;
	void *mapped;
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = clCreateBuffer(world.context, CL_MEM_USE_HOST_PTR, sizeof(own), own, &error);
	assert_cl(error);
	mapped = clEnqueueMapBuffer(world.queue, mem, CL_TRUE, CL_MAP_WRITE, 0, sizeof(own), 0, NULL, NULL, &error);
	assert_cl(error);
	user = clCreateUserEvent(world.context, NULL);
	own[0] = 9;
	assert_cl(clEnqueueUnmapMemObject(world.queue, mem, mapped, 1, &user, NULL));
	assert_cl(clSetUserEventStatus(user, -3));	/* the unmap fails with it: nothing is written */
	(void)clFinish(world.queue);
	assert_cl(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, sizeof(seen), seen, 0, NULL, NULL));
	assert_int_equal(seen[0], 1);
	clReleaseEvent(user);
	clReleaseMemObject(mem);
	world_end(&world);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_check)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unified_small_buffers_cost_no_system_call),
		TEST(arguments_cost_no_record),
		TEST(unified_a_host_pointer_costs_its_copies),
		TEST(an_unmap_waits_for_its_list_before_it_copies),
	};

	/* Not run and not counted: there a buffer is the engine's, and costs a message. */
	if (fixture_staged())
		cmocka_set_skip_filter("unified_*");
	return cmocka_run_group_tests_name("shim/opencl costs", tests, fixture_setup, NULL);
}
