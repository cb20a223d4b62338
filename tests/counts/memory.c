/* SPDX-License-Identifier: MIT */
/*
 * The client whose system calls tests/e2e/counts.sh counts for memory: count_memory buffers|svm COUNT gets and gives back so many small
 * pieces, a hundred at a time alive.
 */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIVING 100

int main(int argc, char **argv)
{
	cl_context context = NULL;
	cl_platform_id platform;
	cl_device_id device;
	cl_int error = 0;
	void *living[LIVING] = { NULL };

	if (argc != 3 || clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL) ||
	    !(context = clCreateContext(NULL, 1, &device, NULL, NULL, NULL))) {
		fprintf(stderr, "count_memory: no context\n");
		return 1;
	}
	bool svm = !strcmp(argv[1], "svm");
	for (long i = 0; i < atol(argv[2]) && !error; i++) {
		void **piece = &living[i % LIVING];
		size_t bytes = 1 + (size_t)(i * 4099) % 16000;

		if (*piece && svm)
			clSVMFree(context, *piece);
		else if (*piece)
			clReleaseMemObject(*piece);
		*piece = svm ? clSVMAlloc(context, CL_MEM_READ_WRITE, bytes, 0) : clCreateBuffer(context, 0, bytes, NULL, NULL);
		error = *piece ? 0 : CL_MEM_OBJECT_ALLOCATION_FAILURE;
	}
	if (error)
		fprintf(stderr, "count_memory: no memory\n");
	return error != 0;
}
