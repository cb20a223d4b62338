/* SPDX-License-Identifier: MIT */
/*
 * The client whose system calls tests/e2e/counts.sh counts: for each line "COUNT" on standard input it enqueues so many empty kernels and
 * says "done" when the last has ended. Never more than a few are outstanding: a full ring is waited for, and that is no command's cost. It reads and writes two lines, and nothing else of its own.
 */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OUTSTANDING 8

static const char source[] = "kernel void nothing(void) { }\n";

static void must(cl_int error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "count_client: %s: error %d\n", what, error);
	exit(1);
}

int main(void)
{
	cl_platform_id platform;
	cl_device_id device;
	cl_int error;
	const char *text = source;
	const size_t one = 1;
	char line[32];

	must(clGetPlatformIDs(1, &platform, NULL), "clGetPlatformIDs");
	must(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL), "clGetDeviceIDs");
	cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
	must(error, "clCreateContext");
	cl_command_queue queue = clCreateCommandQueueWithProperties(context, device, NULL, &error);
	must(error, "clCreateCommandQueueWithProperties");
	cl_program program = clCreateProgramWithSource(context, 1, &text, NULL, &error);
	must(error, "clCreateProgramWithSource");
	must(clBuildProgram(program, 1, &device, "", NULL, NULL), "clBuildProgram");
	cl_kernel kernel = clCreateKernel(program, "nothing", &error);
	must(error, "clCreateKernel");
	while (fgets(line, sizeof(line), stdin)) {
		for (unsigned long left = strtoul(line, NULL, 10); left; left--) {
			must(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL), "clEnqueueNDRangeKernel");
			if (left % OUTSTANDING == 1)
				must(clFinish(queue), "clFinish");
		}
		puts("done");
		fflush(stdout);
	}
	clReleaseKernel(kernel);
	clReleaseProgram(program);
	clReleaseCommandQueue(queue);
	clReleaseContext(context);
	return 0;
}
