/* SPDX-License-Identifier: MIT */
/*
 * Builds a program of --kernels N, made different by --salt N, and computes with its last kernel: how long clBuildProgram took and how long
 * it was from there to the first result.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define COUNT 256u

static char *make_source(unsigned kernels, unsigned salt)
{
	char *source = NULL;
	size_t bytes;
	FILE *stream = open_memstream(&source, &bytes);

	for (unsigned i = 0; stream && i < kernels; i++)
		fprintf(stream, "kernel void k%u(global uint *a) { uint i = get_global_id(0); a[i] = (a[i] + %uu) * %uu + i; }\n", i, salt, i + 3);
	if (!stream || fclose(stream))
		exit(1);
	return source;
}

int build_main(int argc, char **argv)
{
	const unsigned kernels = (unsigned)option(argc, argv, "--kernels", 8), salt = (unsigned)option(argc, argv, "--salt", 1);
	char name[32], *source = make_source(kernels, salt);
	cl_uint values[COUNT], wrong = 0;
	size_t global = COUNT, found = 0;
	struct gpu gpu;
	cl_int error;

	gpu_open(&gpu);
	cl_program program = clCreateProgramWithSource(gpu.context, 1, (const char **)&source, NULL, &error);
	gpu_check(error, "clCreateProgramWithSource");
	/* Not how long the vGPU takes to wake up: a command has been done before. */
	cl_event ready;
	gpu_check(clEnqueueMarkerWithWaitList(gpu.queue, 0, NULL, &ready), "marker");
	gpu_check(clWaitForEvents(1, &ready), "wait");
	clReleaseEvent(ready);
	uint64_t start = now_ns();
	gpu_check(clBuildProgram(program, 1, &gpu.device, "", NULL, NULL), "clBuildProgram");
	uint64_t built = now_ns();
	gpu_check(clGetProgramInfo(program, CL_PROGRAM_NUM_KERNELS, sizeof(found), &found, NULL), "clGetProgramInfo");
	snprintf(name, sizeof(name), "k%u", kernels - 1);
	cl_kernel kernel = clCreateKernel(program, name, &error);
	gpu_check(error, "clCreateKernel");
	cl_mem buffer = gpu_buffer(&gpu, sizeof(values));
	for (cl_uint i = 0; i < COUNT; i++)
		values[i] = i * 7;
	gpu_check(clEnqueueWriteBuffer(gpu.queue, buffer, CL_TRUE, 0, sizeof(values), values, 0, NULL, NULL), "write");
	gpu_check(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer), "clSetKernelArg");
	gpu_check(clEnqueueNDRangeKernel(gpu.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL), "kernel");
	gpu_check(clEnqueueReadBuffer(gpu.queue, buffer, CL_TRUE, 0, sizeof(values), values, 0, NULL, NULL), "read");
	uint64_t computed = now_ns();
	for (cl_uint i = 0; i < COUNT; i++)
		wrong += values[i] != (i * 7 + salt) * (kernels + 2) + i;
	printf("build_us=%llu first_result_us=%llu kernels=%zu wrong=%u\n", (unsigned long long)(built - start) / 1000,
	       (unsigned long long)(computed - built) / 1000, found, wrong);
	clReleaseMemObject(buffer);
	clReleaseKernel(kernel);
	clReleaseProgram(program);
	gpu_close(&gpu);
	free(source);
	return wrong || found != kernels;
}
