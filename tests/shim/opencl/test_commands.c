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

#define TEST(name) cmocka_unit_test_teardown(name, fixture_check)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_kernel_computes_and_its_result_is_read),
	};

	return cmocka_run_group_tests_name("shim/opencl commands", tests, fixture_setup, NULL);
}
