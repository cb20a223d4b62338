/* SPDX-License-Identifier: MIT */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void gpu_check(cl_int error, const char *what)
{
	if (error == CL_SUCCESS)
		return;
	fprintf(stderr, "%s failed with OpenCL error %d\n", what, error);
	exit(1);
}

void gpu_open(struct gpu *gpu)
{
	cl_platform_id platforms[8];
	cl_uint count = 0;
	cl_int error = clGetPlatformIDs(8, platforms, &count);

	gpu->device = NULL;
	for (cl_uint i = 0; i < count && i < 8 && error == CL_SUCCESS; i++)
		if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &gpu->device, NULL) == CL_SUCCESS)
			break;
	if (!gpu->device) {
		fprintf(stderr, "no OpenCL device (%u platforms, error %d)\n", count, error);
		exit(1);
	}
	gpu->context = clCreateContext(NULL, 1, &gpu->device, NULL, NULL, &error);
	gpu_check(error, "clCreateContext");
	gpu->queue = clCreateCommandQueueWithProperties(gpu->context, gpu->device, NULL, &error);
	gpu_check(error, "clCreateCommandQueue");
}

void gpu_close(struct gpu *gpu)
{
	clReleaseCommandQueue(gpu->queue);
	clReleaseContext(gpu->context);
}

cl_kernel gpu_kernel(struct gpu *gpu, const char *source, const char *name)
{
	return gpu_kernel_of(gpu, source, "", name);
}

cl_kernel gpu_kernel_of(struct gpu *gpu, const char *source, const char *options, const char *name)
{
	cl_int error;
	cl_program program = clCreateProgramWithSource(gpu->context, 1, &source, NULL, &error);

	gpu_check(error, "clCreateProgramWithSource");
	gpu_check(clBuildProgram(program, 1, &gpu->device, options, NULL, NULL), "clBuildProgram");
	cl_kernel kernel = clCreateKernel(program, name, &error);
	gpu_check(error, "clCreateKernel");
	clReleaseProgram(program);
	return kernel;
}

cl_mem gpu_buffer(struct gpu *gpu, size_t bytes)
{
	cl_int error;
	cl_mem buffer = clCreateBuffer(gpu->context, CL_MEM_READ_WRITE, bytes, NULL, &error);

	gpu_check(error, "clCreateBuffer");
	return buffer;
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t option(int argc, char **argv, const char *name, uint64_t fallback)
{
	for (int i = 0; i + 1 < argc; i++) {
		if (strcmp(argv[i], name))
			continue;
		char *end;
		uint64_t value = strtoull(argv[i + 1], &end, 0);
		if (*end || end == argv[i + 1]) {
			fprintf(stderr, "%s wants a number, not '%s'\n", name, argv[i + 1]);
			exit(2);
		}
		return value;
	}
	return fallback;
}
