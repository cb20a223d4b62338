/* SPDX-License-Identifier: MIT */
/*
 * Shared virtual memory: what tests/conformance/svm.c cannot ask of every driver, and what only the fake engine can show. Where the
 * device has none (staged, a host of version 1), that it says and does so.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/shim/opencl/fixture.h"

static int *ints(struct world *world, size_t count)
{
	int *memory = clSVMAlloc(world->context, CL_MEM_READ_WRITE, count * sizeof(int), 0);

	assert_non_null(memory);
	return memory;
}

/* Waits for what goes by itself. */
#define EVENTUALLY(condition) do { \
		for (int tries_ = 0; tries_ < 5000 && !(condition); tries_++) \
			usleep(1000); \
		assert_true(condition); \
	} while (0)

static void without_it_everything_says_so(void **state)
{
	cl_device_svm_capabilities capabilities = 1;
	struct world world;
	int word = 0;
	void *pointer = &word;

	(void)state;
	world_make(&world);
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof(capabilities), &capabilities, NULL));
	assert_int_equal(capabilities, 0);
	assert_null(clSVMAlloc(world.context, CL_MEM_READ_WRITE, 64, 0));
	clSVMFree(world.context, NULL);
	assert_int_equal(clEnqueueSVMMemcpy(world.queue, CL_TRUE, &word, &capabilities, 4, 0, NULL, NULL), CL_INVALID_OPERATION);
	assert_int_equal(clEnqueueSVMMemFill(world.queue, &word, &word, 4, 4, 0, NULL, NULL), CL_INVALID_OPERATION);
	assert_int_equal(clEnqueueSVMMap(world.queue, CL_TRUE, CL_MAP_READ, &word, 4, 0, NULL, NULL), CL_INVALID_OPERATION);
	assert_int_equal(clEnqueueSVMUnmap(world.queue, &word, 0, NULL, NULL), CL_INVALID_OPERATION);
	assert_int_equal(clEnqueueSVMFree(world.queue, 1, &pointer, NULL, NULL, 0, NULL, NULL), CL_INVALID_OPERATION);
	assert_int_equal(clEnqueueSVMMigrateMem(world.queue, 1, (const void **)&pointer, NULL, 0, 0, NULL, NULL), CL_INVALID_OPERATION);
	assert_int_equal(clSetKernelArgSVMPointer(world.scale, 0, &word), CL_INVALID_OPERATION);
	assert_int_equal(clSetKernelExecInfo(world.scale, CL_KERNEL_EXEC_INFO_SVM_PTRS, 8, &pointer), CL_INVALID_OPERATION);
	world_end(&world);
}

static void bad_arguments_are_refused(void **state)
{
	const cl_bool yes = CL_TRUE, no = CL_FALSE;
	struct world world, other;
	int *data, host[4], pattern[64] = { 0 };
	const void *pointers[2];
	size_t sizes[] = { 64, 65 };
	void *stray = host;

	(void)state;
	world_make(&world);
	world_make(&other);
	data = ints(&world, 16);
	pointers[0] = pointers[1] = data;
	assert_null(clSVMAlloc(world.context, CL_MEM_USE_HOST_PTR, 16, 0));
	assert_null(clSVMAlloc(world.context, 1u << 20, 16, 0));
	assert_null(clSVMAlloc(world.context, 0, 16, 256));
	assert_null(clSVMAlloc(world.context, 0, (64u << 20) + 1, 0));
	assert_int_equal(clSetKernelArgSVMPointer(world.scale, 0, host), CL_INVALID_ARG_VALUE);
	assert_int_equal(clSetKernelArgSVMPointer(other.scale, 0, data), CL_INVALID_ARG_VALUE);	/* of another context */
	assert_cl(clSetKernelArgSVMPointer(world.scale, 0, data + 16));		/* the end may be pointed to */
	assert_int_equal(clSetKernelArgSVMPointer(world.scale, 0, data + 17), CL_INVALID_ARG_VALUE);
	assert_int_equal(clSetKernelExecInfo(world.scale, CL_KERNEL_EXEC_INFO_SVM_PTRS, 8, NULL), CL_INVALID_VALUE);
	assert_int_equal(clSetKernelExecInfo(world.scale, CL_KERNEL_EXEC_INFO_SVM_PTRS, 0, pointers), CL_INVALID_VALUE);
	assert_int_equal(clSetKernelExecInfo(world.scale, CL_KERNEL_EXEC_INFO_SVM_PTRS, 12, pointers), CL_INVALID_VALUE);
	assert_int_equal(clSetKernelExecInfo(world.scale, CL_KERNEL_EXEC_INFO_SVM_PTRS, 8, &stray), CL_INVALID_VALUE);
	assert_int_equal(clSetKernelExecInfo(world.scale, 0x1234, 8, pointers), CL_INVALID_VALUE);
	assert_int_equal(clSetKernelExecInfo(world.scale, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, sizeof(yes), &yes),
			 CL_INVALID_OPERATION);
	assert_cl(clSetKernelExecInfo(world.scale, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, sizeof(no), &no));
	assert_int_equal(clEnqueueSVMMemFill(world.queue, data, NULL, 4, 16, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueSVMMemFill(world.queue, data, pattern, 256, 256, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueSVMMemFill(world.queue, host, pattern, 4, 4, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueSVMMemFill(world.queue, data, pattern, 4, 68, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueSVMMemcpy(world.queue, CL_TRUE, data + 15, host, 8, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueSVMMemcpy(world.queue, CL_TRUE, host, data + 15, 8, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueSVMMap(world.queue, CL_TRUE, 1u << 20, data, 4, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueSVMMap(world.queue, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE_INVALIDATE_REGION, data, 4, 0, NULL, NULL),
			 CL_INVALID_VALUE);
	assert_int_equal(clEnqueueSVMMap(world.queue, CL_TRUE, CL_MAP_READ, host, 4, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueSVMUnmap(world.queue, host, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_cl(clEnqueueSVMMigrateMem(world.queue, 1, pointers, sizes, 0, 0, NULL, NULL));
	assert_int_equal(clEnqueueSVMMigrateMem(world.queue, 2, pointers, sizes, 0, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueSVMMigrateMem(world.queue, 1, pointers, sizes, 1u << 9, 0, NULL, NULL), CL_INVALID_VALUE);
	clSVMFree(world.context, data + 1);	/* not what was given: passed over */
	data[0] = 5;
	clSVMFree(world.context, data);
	world_end(&world);
	world_end(&other);
}

static void a_kernel_and_the_host_see_one_memory(void **state)
{
	struct world world;
	int *data, three = 3;
	const size_t count = 100;

	(void)state;
	world_make(&world);
	data = ints(&world, 1000);
	for (int i = 0; i < 1000; i++)
		data[i] = i;
	assert_cl(clSetKernelArgSVMPointer(world.scale, 0, data + 50));
	assert_cl(clSetKernelArg(world.scale, 1, sizeof(three), &three));
	assert_cl(clEnqueueNDRangeKernel(world.queue, world.scale, 1, NULL, &count, NULL, 0, NULL, NULL));
	assert_cl(clFinish(world.queue));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(data[i], i >= 50 && i < 150 ? 3 * i : i);
	clSVMFree(world.context, data);
	world_end(&world);
}

static void small_memory_costs_no_blob_and_no_record(void **state)
{
	struct world world;
	void *small[1000];
	uint32_t blobs, records;

	(void)state;
	world_make(&world);
	small[0] = ints(&world, 1);
	assert_cl(clFinish(world.queue));
	do {			/* what the build needed goes back */
		blobs = GET(blobs);
		usleep(100000);
	} while (GET(blobs) != blobs);
	records = GET(records);
	for (int round = 0; round < 10; round++) {
		for (int i = 1; i < 1000; i++)
			small[i] = ints(&world, 1 + (size_t)i % 100);
		for (int i = 1; i < 1000; i++)
			clSVMFree(world.context, small[i * 7 % 1000]);
	}
	for (int i = 1; i < 4; i++)	/* what was given back in pieces is one again */
		small[i] = ints(&world, 65536);
	for (int i = 1; i < 4; i++)
		clSVMFree(world.context, small[i]);
	assert_true(GET(blobs) <= blobs);
	assert_true(GET(records) <= records + 4);
	clSVMFree(world.context, small[0]);
	world_end(&world);
}

static void an_address_that_is_taken_is_given_up(void **state)
{
	struct world world;
	uint64_t before;
	int *data;

	(void)state;
	world_make(&world);
	assert_cl(clFinish(world.queue));
	before = GET(blob_bytes);
	SET(refuse_addresses, 3);
	data = ints(&world, 1000000);
	assert_int_equal(GET(refuse_addresses), 0);
	data[999999] = 1;
	clSVMFree(world.context, data);
	/* No end of it: the memory goes back, and later there is some. */
	SET(refuse_addresses, 1000);
	assert_null(clSVMAlloc(world.context, 0, 1 << 20, 0));
	SET(refuse_addresses, 0);
	EVENTUALLY(GET(blob_bytes) <= before);
	data = ints(&world, 1000000);
	clSVMFree(world.context, data);
	world_end(&world);
}

static void memory_comes_back_at_the_limit(void **state)
{
	struct world world;
	unsigned count[3] = { 0 };
	void *taken[100];

	(void)state;
	world_make(&world);
	for (int round = 0; round < 3; round++) {
		while (count[round] < 100 && (taken[count[round]] = clSVMAlloc(world.context, 0, 5u << 20, 0)))
			count[round]++;
		assert_true(count[round] >= 11 && count[round] < 13);
		for (unsigned i = 0; i < count[round]; i++)
			clSVMFree(world.context, taken[i]);
	}
	assert_int_equal(count[0], count[1]);
	assert_int_equal(count[1], count[2]);
	world_end(&world);
	EVENTUALLY(GET(blob_bytes) <= 4u << 20);	/* what a session keeps at hand */
}

/* The context is over only when its last block is. */
static void blocks_outlive_what_the_application_lets_go_of(void **state)
{
	struct world world;
	cl_context context;
	int *data;

	(void)state;
	world_make(&world);
	context = world.context;
	data = ints(&world, 300000);
	world_end(&world);
	memset(data, 7, 1200000);
	clSVMFree(context, data);
	EVENTUALLY(GET(blob_bytes) <= 4u << 20);
}

static void a_copy_that_is_held_back_is_done_in_turn(void **state)
{
	struct world world;
	int *data, *more, host[4] = { 1, 2, 3, 4 }, out[4] = { 0 };
	cl_event user, last;

	(void)state;
	world_make(&world);
	data = ints(&world, 4);
	more = ints(&world, 600000);
	user = clCreateUserEvent(world.context, NULL);
	memset(data, 0, 16);
	assert_cl(clEnqueueSVMMemcpy(world.queue, CL_FALSE, data, host, 16, 1, &user, NULL));
	assert_cl(clEnqueueSVMMemcpy(world.queue, CL_FALSE, more, data, 16, 0, NULL, NULL));
	assert_cl(clEnqueueSVMMemcpy(world.queue, CL_FALSE, out, more, 16, 0, NULL, NULL));
	assert_cl(clEnqueueSVMMemcpy(world.queue, CL_FALSE, host, out, 4, 0, NULL, NULL));
	assert_cl(clEnqueueSVMFree(world.queue, 1, (void **)&more, NULL, NULL, 0, NULL, &last));
	host[1] = 77;		/* read when it was enqueued, or later: both are allowed; only not half */
	usleep(5000);
	assert_int_equal(data[0], 0);
	assert_int_equal(out[0], 0);
	assert_cl(clSetUserEventStatus(user, CL_COMPLETE));
	assert_cl(clFinish(world.queue));
	assert_int_equal(out[0], 1);
	assert_true(out[1] == 2 || out[1] == 77);
	assert_int_equal(out[3], 4);
	assert_int_equal(host[0], 1);
	assert_cl(clWaitForEvents(1, &last));
	assert_int_equal(clEnqueueSVMUnmap(world.queue, more, 0, NULL, NULL), CL_INVALID_VALUE);	/* it is gone */
	assert_cl(clReleaseEvent(user));
	assert_cl(clReleaseEvent(last));
	clSVMFree(world.context, data);
	world_end(&world);
}

static void nothing_is_freed_after_a_failed_list(void **state)
{
	struct world world;
	int *data;
	cl_event user, event;
	cl_int status = 0;

	(void)state;
	world_make(&world);
	data = ints(&world, 4);
	user = clCreateUserEvent(world.context, NULL);
	assert_cl(clEnqueueSVMFree(world.queue, 1, (void **)&data, NULL, NULL, 1, &user, &event));
	assert_cl(clSetUserEventStatus(user, -5));
	assert_int_equal(clWaitForEvents(1, &event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	assert_cl(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	assert_true(status < 0);
	data[0] = 1;
	assert_cl(clEnqueueSVMUnmap(world.queue, data, 0, NULL, NULL));
	assert_cl(clReleaseEvent(user));
	assert_cl(clReleaseEvent(event));
	assert_cl(clFinish(world.queue));
	clSVMFree(world.context, data);
	world_end(&world);
}

static void a_buffer_of_it_is_the_memory_itself(void **state)
{
	struct world world;
	cl_bool uses = CL_FALSE;
	cl_mem whole, askew;
	uint64_t before;
	int *data;

	(void)state;
	world_make(&world);
	data = ints(&world, 10000);
	for (int i = 0; i < 10000; i++)
		data[i] = i;
	before = GET(blob_bytes);
	whole = clCreateBuffer(world.context, CL_MEM_USE_HOST_PTR, 40000, data, NULL);
	assert_non_null(whole);
	assert_int_equal(GET(blob_bytes), before);
	assert_cl(world_scale(&world, whole, 2, 10000, NULL));
	assert_cl(clFinish(world.queue));
	assert_int_equal(data[9999], 2 * 9999);	/* without a map: it is one memory */
	assert_cl(clReleaseMemObject(whole));
	/* Where no buffer can lie, it has a copy, brought up to date by maps as any host_ptr's. */
	askew = clCreateBuffer(world.context, CL_MEM_USE_HOST_PTR, 400, data + 1, NULL);
	assert_non_null(askew);
	assert_cl(clGetMemObjectInfo(askew, CL_MEM_USES_SVM_POINTER, sizeof(uses), &uses, NULL));
	assert_int_equal(uses, CL_TRUE);
	assert_cl(world_scale(&world, askew, 10, 100, NULL));
	assert_ptr_equal(clEnqueueMapBuffer(world.queue, askew, CL_TRUE, CL_MAP_READ, 0, 400, 0, NULL, NULL, NULL), data + 1);
	assert_int_equal(data[1], 20);
	assert_int_equal(data[100], 2000);
	assert_int_equal(data[101], 202);
	assert_cl(clEnqueueUnmapMemObject(world.queue, askew, data + 1, 0, NULL, NULL));
	assert_cl(clFinish(world.queue));
	assert_cl(clReleaseMemObject(askew));
	clSVMFree(world.context, data);
	world_end(&world);
}

static void a_lost_device_gives_no_memory_and_takes_it_back(void **state)
{
	struct world world;
	int *data, word = 0;

	(void)state;
	world_make(&world);
	data = ints(&world, 1000000);
	SET(die, 1);
	EVENTUALLY(clFlush(world.queue) == CL_DEVICE_NOT_AVAILABLE);
	data[5] = 6;
	assert_null(clSVMAlloc(world.context, 0, 64, 0));
	assert_int_equal(clEnqueueSVMMemcpy(world.queue, CL_TRUE, &word, data, 4, 0, NULL, NULL), CL_DEVICE_NOT_AVAILABLE);
	assert_int_equal(clEnqueueSVMMap(world.queue, CL_TRUE, CL_MAP_READ, data, 4, 0, NULL, NULL), CL_DEVICE_NOT_AVAILABLE);
	clSVMFree(world.context, data);
	world_end(&world);
	/* A new context has some. */
	world_make(&world);
	data = ints(&world, 1000);
	data[999] = 1;
	clSVMFree(world.context, data);
	world_end(&world);
}

/* The parent's memory is not the child's; its address may be that of the child's own. */
static void the_child_of_a_fork_has_its_own(void **state)
{
	struct world world;
	int *data, status;
	pid_t pid;

	(void)state;
	world_make(&world);
	data = ints(&world, 1000);
	data[0] = 1;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct world own;
		int *ours;

		if (clSVMAlloc(world.context, 0, 64, 0))
			_exit(2);
		clSVMFree(world.context, data);
		world_make(&own);
		ours = clSVMAlloc(own.context, 0, 4000, 0);
		if (!ours)
			_exit(3);
		ours[999] = 3;
		if (clEnqueueSVMMemcpy(own.queue, CL_TRUE, ours, ours + 999, 4, 0, NULL, NULL) || ours[0] != 3)
			_exit(4);
		_exit(GET(violations) ? 5 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(data[0], 1);
	clSVMFree(world.context, data);
	world_end(&world);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_check)
int main(void)
{
	const struct CMUnitTest without[] = { TEST(without_it_everything_says_so) };
	const struct CMUnitTest tests[] = {
		TEST(bad_arguments_are_refused),
		TEST(a_kernel_and_the_host_see_one_memory),
		TEST(small_memory_costs_no_blob_and_no_record),
		TEST(an_address_that_is_taken_is_given_up),
		TEST(memory_comes_back_at_the_limit),
		TEST(blocks_outlive_what_the_application_lets_go_of),
		TEST(a_copy_that_is_held_back_is_done_in_turn),
		TEST(nothing_is_freed_after_a_failed_list),
		TEST(a_buffer_of_it_is_the_memory_itself),
		TEST(a_lost_device_gives_no_memory_and_takes_it_back),
		TEST(the_child_of_a_fork_has_its_own),
	};

	if (fixture_staged() || fixture_version_1())
		return cmocka_run_group_tests_name("shim/opencl without svm", without, fixture_setup, NULL);
	return cmocka_run_group_tests_name("shim/opencl svm", tests, fixture_setup, NULL);
}
