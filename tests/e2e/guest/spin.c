/* SPDX-License-Identifier: MIT */
/*
 * Runs one kernel for about --ms milliseconds that writes 0xa5 over its buffer all the time; says `state=running` once it has
 * been submitted. Meant to be killed meanwhile. With --ms 0 the kernel never ends.
 */
#include <stdio.h>
#include <string.h>

#include "guest.h"

static const char source[] =
	"kernel void spin(global volatile uchar *out, ulong bytes, ulong passes) {\n"
	"	for (ulong p = 0; passes == 0 || p < passes; p++)\n"
	"		for (ulong i = get_global_id(0); i < bytes; i += get_global_size(0)) out[i] = 0xa5;\n"
	"}\n";

static double run(struct gpu *gpu, cl_kernel kernel, cl_ulong passes)
{
	size_t one = 1;
	uint64_t start = now_ns();

	gpu_check(clSetKernelArg(kernel, 2, sizeof(passes), &passes), "clSetKernelArg");
	gpu_check(clEnqueueNDRangeKernel(gpu->queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL), "kernel");
	gpu_check(clFinish(gpu->queue), "clFinish");
	return (double)(now_ns() - start) / 1e6;
}

int spin_main(int argc, char **argv)
{
	const uint64_t ms = option(argc, argv, "--ms", 1000);
	cl_ulong bytes = option(argc, argv, "--bytes", 4u << 20), passes = 1;
	struct gpu gpu;
	size_t one = 1;

	gpu_open(&gpu);
	cl_kernel kernel = gpu_kernel(&gpu, source, "spin");
	cl_mem buffer = gpu_buffer(&gpu, bytes);
	gpu_check(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 1, sizeof(bytes), &bytes), "clSetKernelArg");
	if (ms) {
		run(&gpu, kernel, 1);	/* compiles */
		double each = run(&gpu, kernel, 8) / 8;
		passes = (cl_ulong)((double)ms / (each > 0.001 ? each : 0.001)) + 1;
	} else {
		passes = 0;
	}
	gpu_check(clSetKernelArg(kernel, 2, sizeof(passes), &passes), "clSetKernelArg");
	uint64_t start = now_ns();
	gpu_check(clEnqueueNDRangeKernel(gpu.queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL), "kernel");
	gpu_check(clFlush(gpu.queue), "clFlush");
	puts("state=running");
	fflush(stdout);
	gpu_check(clFinish(gpu.queue), "clFinish");
	printf("state=done ms=%.0f\n", (double)(now_ns() - start) / 1e6);
	clReleaseMemObject(buffer);
	clReleaseKernel(kernel);
	gpu_close(&gpu);
	return 0;
}
