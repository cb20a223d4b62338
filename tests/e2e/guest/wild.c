/* SPDX-License-Identifier: MIT */
/* Runs a kernel that writes far outside its buffer. Right is: this context is lost with an error of the API, and a new
 * context of the same process works. */
#include <stdio.h>

#include "guest.h"

static const char wild_source[] =
	"kernel void wild(global uint *out, ulong far) { out[0] = 1; for (ulong i = 0; i < 1024; i++) out[far + i * 1048576] = 7; }\n";
static const char tame_source[] = "kernel void tame(global uint *out) { out[get_global_id(0)] = 42; }\n";

int wild_main(int argc, char **argv)
{
	struct gpu gpu;
	cl_ulong far = option(argc, argv, "--far", 1ull << 40);
	cl_uint seen = 0;
	size_t one = 1;

	gpu_open(&gpu);
	cl_kernel kernel = gpu_kernel(&gpu, wild_source, "wild");
	cl_mem buffer = gpu_buffer(&gpu, 4096);
	gpu_check(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 1, sizeof(far), &far), "clSetKernelArg");
	cl_int error = clEnqueueNDRangeKernel(gpu.queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL);
	if (error == CL_SUCCESS)
		error = clFinish(gpu.queue);
	printf("wild_error=%d\n", error);
	clReleaseMemObject(buffer);
	clReleaseKernel(kernel);
	gpu_close(&gpu);
	if (error == CL_SUCCESS) {
		fprintf(stderr, "a kernel that wrote far outside its buffer was reported as a success\n");
		return 1;
	}
	gpu_open(&gpu);
	kernel = gpu_kernel(&gpu, tame_source, "tame");
	buffer = gpu_buffer(&gpu, 4096);
	gpu_check(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer), "clSetKernelArg");
	gpu_check(clEnqueueNDRangeKernel(gpu.queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL), "kernel");
	gpu_check(clEnqueueReadBuffer(gpu.queue, buffer, CL_TRUE, 0, 4, &seen, 0, NULL, NULL), "read");
	printf("state=done tame_saw=%u\n", seen);
	clReleaseMemObject(buffer);
	clReleaseKernel(kernel);
	gpu_close(&gpu);
	return seen != 42;
}
