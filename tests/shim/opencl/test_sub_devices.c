/* SPDX-License-Identifier: MIT */
/* Sub-devices of a vGPU: what can be asked for, what they say, contexts and queues on them, and that nothing of them stays. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/shim/opencl/fixture.h"

typedef cl_device_partition_property property;

static cl_uint number(cl_device_id of, cl_device_info what)
{
	cl_uint value = 0;

	assert_cl(clGetDeviceInfo(of, what, sizeof(value), &value, NULL));
	return value;
}

/* The fake's device has 4 compute units and offers three ways to divide, of which two are carried. */
static void the_device_says_how_it_divides(void **state)
{
	const property expected[] = { CL_DEVICE_PARTITION_EQUALLY, CL_DEVICE_PARTITION_BY_COUNTS, 0 };
	property got[8];
	size_t bytes;
	cl_device_id parent;

	(void)state;
	assert_int_equal(number(device, CL_DEVICE_PARTITION_MAX_SUB_DEVICES), 4);
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_PARTITION_PROPERTIES, sizeof(got), got, &bytes));
	assert_int_equal(bytes, sizeof(expected));
	assert_memory_equal(got, expected, sizeof(expected));
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_PARENT_DEVICE, sizeof(parent), &parent, NULL));
	assert_null(parent);
}

static void what_cannot_be_divided_is_refused(void **state)
{
	static const struct {
		property properties[8];
		cl_uint room;
		cl_int error;
	} rows[] = {
		{ { 0 }, 8, CL_INVALID_VALUE },
		{ { CL_DEVICE_PARTITION_EQUALLY, 0, 0 }, 8, CL_INVALID_VALUE },
		{ { CL_DEVICE_PARTITION_EQUALLY, 5, 0 }, 8, CL_DEVICE_PARTITION_FAILED },
		{ { CL_DEVICE_PARTITION_EQUALLY, 1, 0 }, 3, CL_INVALID_VALUE },
		{ { CL_DEVICE_PARTITION_EQUALLY, 2, CL_DEVICE_PARTITION_EQUALLY, 1, 0 }, 8, CL_INVALID_VALUE },
		{ { CL_DEVICE_PARTITION_BY_COUNTS, 0, 0 }, 8, CL_INVALID_DEVICE_PARTITION_COUNT },
		{ { CL_DEVICE_PARTITION_BY_COUNTS, 3, 2, 0, 0 }, 8, CL_INVALID_DEVICE_PARTITION_COUNT },
		{ { CL_DEVICE_PARTITION_BY_COUNTS, 1, 1, 1, 1, 1, 0, 0 }, 8, CL_INVALID_DEVICE_PARTITION_COUNT },
		{ { CL_DEVICE_PARTITION_BY_COUNTS, -1, 0, 0 }, 8, CL_INVALID_DEVICE_PARTITION_COUNT },
		{ { CL_DEVICE_PARTITION_BY_AFFINITY_DOMAIN, CL_DEVICE_AFFINITY_DOMAIN_NUMA, 0 }, 8, CL_INVALID_VALUE },
		{ { 0x7777, 1, 0 }, 8, CL_INVALID_VALUE },
	};
	cl_device_id parts[8], part;
	cl_uint count;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		count = 77;
		cl_int error = clCreateSubDevices(device, rows[i].properties, rows[i].room, parts, &count);
		if (error != rows[i].error || count != 77)
			fail_msg("row %u: %d, %u", i, error, count);
	}
	assert_int_equal(clCreateSubDevices(device, NULL, 8, parts, &count), CL_INVALID_VALUE);
	assert_int_equal(clCreateSubDevices((cl_device_id)platform, rows[1].properties, 8, parts, NULL), CL_INVALID_DEVICE);
	assert_cl(clCreateSubDevices(device, (property[]){ CL_DEVICE_PARTITION_EQUALLY, 3, 0 }, 0, NULL, &count));
	assert_int_equal(count, 1);
	/* A part is not divided again. */
	assert_cl(clCreateSubDevices(device, (property[]){ CL_DEVICE_PARTITION_EQUALLY, 4, 0 }, 1, &part, NULL));
	assert_int_equal(clCreateSubDevices(part, (property[]){ CL_DEVICE_PARTITION_EQUALLY, 1, 0 }, 8, parts, NULL),
			 CL_DEVICE_PARTITION_FAILED);
	assert_int_equal(number(part, CL_DEVICE_PARTITION_MAX_SUB_DEVICES), 0);
	assert_cl(clReleaseDevice(part));
}

static void a_sub_device_says_what_it_is(void **state)
{
	const property asked[] = { CL_DEVICE_PARTITION_BY_COUNTS, 1, 2, CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0 };
	property told[8];
	cl_device_id parts[2], parent;
	char name[64], whole[64];
	size_t bytes;

	(void)state;
	assert_cl(clCreateSubDevices(device, asked, 2, parts, NULL));
	assert_int_equal(number(parts[0], CL_DEVICE_MAX_COMPUTE_UNITS), 1);
	assert_int_equal(number(parts[1], CL_DEVICE_MAX_COMPUTE_UNITS), 2);
	assert_cl(clGetDeviceInfo(parts[1], CL_DEVICE_PARENT_DEVICE, sizeof(parent), &parent, NULL));
	assert_ptr_equal(parent, device);
	assert_cl(clGetDeviceInfo(parts[1], CL_DEVICE_PARTITION_TYPE, sizeof(told), told, &bytes));
	assert_int_equal(bytes, sizeof(asked));
	assert_memory_equal(told, asked, sizeof(asked));
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof(whole), whole, NULL));
	assert_cl(clGetDeviceInfo(parts[0], CL_DEVICE_NAME, sizeof(name), name, NULL));
	assert_string_equal(name, whole);
	assert_int_equal(number(parts[0], CL_DEVICE_REFERENCE_COUNT), 1);
	assert_cl(clRetainDevice(parts[0]));
	assert_int_equal(number(parts[0], CL_DEVICE_REFERENCE_COUNT), 2);
	assert_cl(clReleaseDevice(parts[0]));
	assert_cl(clReleaseDevice(parts[0]));
	assert_cl(clReleaseDevice(parts[1]));
}

static void a_context_may_be_over_parts_and_the_whole(void **state)
{
	const property equally[] = { CL_DEVICE_PARTITION_EQUALLY, 2, 0 };
	const char *source = "kernel scale";
	cl_device_id parts[2], over[4], got[4];
	cl_command_queue queues[3];
	cl_context context;
	cl_program program;
	cl_kernel kernel;
	cl_uint count;
	cl_int error, factor = 3, data[4] = { 1, 1, 1, 1 };
	size_t bytes, items = 4;
	cl_mem mem;

	(void)state;
	assert_cl(clCreateSubDevices(device, equally, 2, parts, &count));
	over[0] = parts[0];
	over[1] = parts[1];
	over[2] = device;
	over[3] = parts[0];	/* once more: ignored */
	context = clCreateContext(NULL, 4, over, NULL, NULL, &error);
	assert_cl(error);
	assert_cl(clGetContextInfo(context, CL_CONTEXT_NUM_DEVICES, sizeof(count), &count, NULL));
	assert_int_equal(count, 3);
	assert_cl(clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof(got), got, &bytes));
	assert_int_equal(bytes, 3 * sizeof(*got));
	assert_memory_equal(got, over, bytes);
	program = clCreateProgramWithSource(context, 1, &source, NULL, &error);
	assert_cl(error);
	assert_cl(clBuildProgram(program, 3, over, NULL, NULL, NULL));
	kernel = clCreateKernel(program, "scale", &error);
	assert_cl(error);
	assert_int_equal(clGetKernelWorkGroupInfo(kernel, NULL, CL_KERNEL_WORK_GROUP_SIZE, 8, &bytes, NULL), CL_INVALID_DEVICE);
	assert_cl(clGetKernelWorkGroupInfo(kernel, parts[1], CL_KERNEL_WORK_GROUP_SIZE, 8, &bytes, NULL));
	mem = clCreateBuffer(context, CL_MEM_COPY_HOST_PTR, sizeof(data), data, &error);
	assert_cl(error);
	assert_cl(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	assert_cl(clSetKernelArg(kernel, 1, sizeof(factor), &factor));
	uint32_t before = GET(queues_on_sub_devices);
	for (int i = 0; i < 3; i++) {
		cl_device_id on;

		queues[i] = clCreateCommandQueue(context, over[i], 0, &error);
		assert_cl(error);
		assert_cl(clGetCommandQueueInfo(queues[i], CL_QUEUE_DEVICE, sizeof(on), &on, NULL));
		assert_ptr_equal(on, over[i]);
		assert_cl(clEnqueueNDRangeKernel(queues[i], kernel, 1, NULL, &items, NULL, 0, NULL, NULL));
		assert_cl(clFinish(queues[i]));
	}
	assert_int_equal(GET(queues_on_sub_devices) - before, 2);
	assert_int_equal(GET(sub_devices), 2);
	assert_cl(clEnqueueReadBuffer(queues[0], mem, CL_TRUE, 0, sizeof(data), data, 0, NULL, NULL));
	assert_int_equal(data[3], 27);
	/* They live as long as their context does. */
	assert_cl(clReleaseDevice(parts[0]));
	assert_cl(clReleaseDevice(parts[1]));
	assert_int_equal(number(parts[0], CL_DEVICE_REFERENCE_COUNT), 1);
	clReleaseMemObject(mem);
	clReleaseKernel(kernel);
	clReleaseProgram(program);
	for (int i = 0; i < 3; i++)
		clReleaseCommandQueue(queues[i]);
	assert_cl(clReleaseContext(context));
	for (int i = 0; GET(sub_devices) && i < 5000; i++)
		usleep(1000);
	assert_int_equal(GET(sub_devices), 0);
}

static void a_context_over_a_part_only_has_no_queue_on_the_whole(void **state)
{
	cl_device_id part, other;
	cl_context context;
	cl_command_queue queue;
	cl_int error;

	(void)state;
	assert_cl(clCreateSubDevices(device, (property[]){ CL_DEVICE_PARTITION_EQUALLY, 4, 0 }, 1, &part, NULL));
	assert_cl(clCreateSubDevices(device, (property[]){ CL_DEVICE_PARTITION_EQUALLY, 4, 0 }, 1, &other, NULL));
	context = clCreateContext(NULL, 1, &part, NULL, NULL, &error);
	assert_cl(error);
	assert_null(clCreateCommandQueue(context, device, 0, &error));
	assert_int_equal(error, CL_INVALID_DEVICE);
	assert_null(clCreateCommandQueue(context, other, 0, &error));
	assert_int_equal(error, CL_INVALID_DEVICE);
	queue = clCreateCommandQueue(context, part, 0, &error);
	assert_cl(error);
	clReleaseCommandQueue(queue);
	clReleaseContext(context);
	clReleaseDevice(part);
	clReleaseDevice(other);
}

static void parts_are_made_anew_after_a_loss(void **state)
{
	cl_device_id part;
	cl_context context;
	cl_command_queue queue;
	cl_int error;

	(void)state;
	assert_cl(clCreateSubDevices(device, (property[]){ CL_DEVICE_PARTITION_EQUALLY, 4, 0 }, 1, &part, NULL));
	for (int i = 0; i < 2; i++) {
		context = clCreateContext(NULL, 1, &part, NULL, NULL, &error);
		assert_cl(error);
		queue = clCreateCommandQueue(context, part, 0, &error);
		assert_cl(error);
		assert_cl(clFinish(queue));
		SET(die, 1);
		for (int tries = 0; clFlush(queue) == CL_SUCCESS && tries < 5000; tries++)
			usleep(1000);
		assert_int_equal(clFlush(queue), CL_DEVICE_NOT_AVAILABLE);
		clReleaseCommandQueue(queue);
		clReleaseContext(context);
	}
	assert_cl(clReleaseDevice(part));
	SET(sub_devices, 0);	/* the dead engines' */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_device_says_how_it_divides, fixture_check),
		cmocka_unit_test_teardown(what_cannot_be_divided_is_refused, fixture_check),
		cmocka_unit_test_teardown(a_sub_device_says_what_it_is, fixture_check),
		cmocka_unit_test_teardown(a_context_may_be_over_parts_and_the_whole, fixture_check),
		cmocka_unit_test_teardown(a_context_over_a_part_only_has_no_queue_on_the_whole, fixture_check),
		cmocka_unit_test_teardown(parts_are_made_anew_after_a_loss, fixture_check),
	};

	return cmocka_run_group_tests_name("sub_devices", tests, fixture_setup, NULL);
}
