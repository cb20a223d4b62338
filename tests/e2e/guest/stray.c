/* SPDX-License-Identifier: MIT */
/*
 * A kernel that reads and writes around its buffer, --bytes to either side, where other memory of its process may lie. Whether that
 * ends its context is the device's matter: nothing is right or wrong here, somebody else's results are. Exits 0 if OpenCL answered.
 */
#include <stdio.h>

#include "guest.h"

static const char source[] =
	"kernel void stray(global volatile uchar *own, long reach, long step) {\n"
	"	for (long at = 0; at < reach; at += step) { own[at] ^= 0x5a; own[-at] += own[at]; }\n"
	"}\n";

int stray_main(int argc, char **argv)
{
	cl_long reach = (cl_long)option(argc, argv, "--bytes", 64u << 20), step = (cl_long)option(argc, argv, "--step", 64);
	struct gpu gpu;
	size_t one = 1;

	gpu_open(&gpu);
	cl_kernel kernel = gpu_kernel(&gpu, source, "stray");
	cl_mem buffer = gpu_buffer(&gpu, 4096);
	gpu_check(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 1, sizeof(reach), &reach), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 2, sizeof(step), &step), "clSetKernelArg");
	cl_int error = clEnqueueNDRangeKernel(gpu.queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL);
	if (error == CL_SUCCESS)
		error = clFinish(gpu.queue);
	printf("state=done stray_error=%d\n", error);
	clReleaseMemObject(buffer);
	clReleaseKernel(kernel);
	gpu_close(&gpu);
	return 0;
}
