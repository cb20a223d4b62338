/* SPDX-License-Identifier: MIT */
/* Sub-devices compute, together and each for itself, on memory that they share. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/conformance/conformance.h"

static const char *text = "kernel void mark(global int *a, int value) { a[get_global_id(0)] += value; }";

static cl_uint number(cl_device_id device, cl_device_info what)
{
	cl_uint value = 0;

	need(clGetDeviceInfo(device, what, sizeof(value), &value, NULL), "clGetDeviceInfo");
	return value;
}

/* A buffer that every one of the devices' queues adds to. */
static void compute_on(const cl_device_id *devices, cl_uint count)
{
	cl_context context = clCreateContext(NULL, count, devices, NULL, NULL, &err);
	need(err, "clCreateContext over sub-devices");
	cl_program program = clCreateProgramWithSource(context, 1, &text, NULL, &err);
	need(err, "clCreateProgramWithSource");
	need(clBuildProgram(program, count, devices, NULL, NULL, NULL), "clBuildProgram for sub-devices");
	cl_kernel kernel = clCreateKernel(program, "mark", &err);
	need(err, "clCreateKernel");
	cl_mem mem = clCreateBuffer(context, 0, 1024 * sizeof(cl_int), NULL, &err);
	need(err, "clCreateBuffer");
	cl_int data[1024], zero = 0, expected = 0;
	const size_t items = 1024;
	cl_command_queue queue;
	cl_device_id on;

	for (cl_uint i = 0; i < count; i++) {
		cl_int value = 1 << i % 16;
		queue = clCreateCommandQueue(context, devices[i], 0, &err);
		need(err, "clCreateCommandQueue on a sub-device");
		need(clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof(on), &on, NULL), "clGetCommandQueueInfo");
		if (i == 0)
			need(clEnqueueFillBuffer(queue, mem, &zero, sizeof(zero), 0, sizeof(data), 0, NULL, NULL), "clEnqueueFillBuffer");
		need(clSetKernelArg(kernel, 0, sizeof(mem), &mem), "clSetKernelArg");
		need(clSetKernelArg(kernel, 1, sizeof(value), &value), "clSetKernelArg");
		need(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL), "clEnqueueNDRangeKernel on a sub-device");
		need(clFinish(queue), "clFinish");
		need(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, sizeof(data), data, 0, NULL, NULL), "clEnqueueReadBuffer");
		expected += value;
		for (int k = 0; k < 1024; k++)
			if (data[k] != expected)
				wrong("device %u of %u: element %d is %d, not %d", i, count, k, data[k], expected);
		clReleaseCommandQueue(queue);
	}
	clReleaseMemObject(mem);
	clReleaseKernel(kernel);
	clReleaseProgram(program);
	clReleaseContext(context);
}

int run_sub_devices(void)
{
	const cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, 1, 0};
	const cl_device_partition_property counts[] = {CL_DEVICE_PARTITION_BY_COUNTS, 1, 1, CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0};
	cl_device_id parts[257], pair[2];
	cl_uint count = 0;

	if (!s.divides) {
		printf("cannot test here: sub-devices because the device does not divide\n");
		return 0;
	}
	need(clCreateSubDevices(s.device, equally, 256, parts, &count), "clCreateSubDevices");
	if (count != s.units)
		wrong("%u sub-devices of %u compute units", count, s.units);
	for (cl_uint i = 0; i < count; i++) {
		if (number(parts[i], CL_DEVICE_MAX_COMPUTE_UNITS) != 1)
			wrong("sub-device %u has %u compute units", i, number(parts[i], CL_DEVICE_MAX_COMPUTE_UNITS));
		compute_on(&parts[i], 1);
	}
	compute_on(parts, count);
	parts[count] = s.device;
	compute_on(parts, count + 1);
	need(clCreateSubDevices(s.device, counts, 2, pair, NULL), "clCreateSubDevices by counts");
	compute_on(pair, 2);
	for (cl_uint i = 0; i < count; i++)
		need(clReleaseDevice(parts[i]), "clReleaseDevice");
	for (int round = 0; round < 300; round++) {	/* more than there are ids, if they are not given back */
		clReleaseDevice(pair[0]);
		clReleaseDevice(pair[1]);
		need(clCreateSubDevices(s.device, counts, 2, pair, NULL), "clCreateSubDevices, again");
		if (round % 60 == 0)
			compute_on(pair, 2);
		cl_context context = clCreateContext(NULL, 2, pair, NULL, NULL, &err);
		need(err, "clCreateContext");
		cl_command_queue queue = clCreateCommandQueue(context, pair[1], 0, &err);
		need(err, "clCreateCommandQueue");
		need(clFinish(queue), "clFinish");
		clReleaseCommandQueue(queue);
		clReleaseContext(context);
	}
	clReleaseDevice(pair[0]);
	clReleaseDevice(pair[1]);
	printf("%u sub-devices computed\n", count);
	return wrong_count != 0;
}
