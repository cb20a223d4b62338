/* SPDX-License-Identifier: MIT */
/*
 * Maps an 8 MiB buffer, writes a pattern, and waits until somebody outside changes its last word in place: the host's
 * side of the test finds the pattern in the aperture file and answers there. Then a kernel reads the answer.
 */
#include <stdio.h>
#include <unistd.h>

#include "guest.h"

#define WORDS (8u << 18)
#define PATTERN 0x5eed5eedu
#define ANSWER 0xfeedbeefu

static const char source[] = "kernel void last(global const uint *in, global uint *out, uint n) { out[0] = in[n - 1]; }\n";

int zerocopy_main(int argc, char **argv)
{
	const uint64_t seconds = option(argc, argv, "--seconds", 30);
	struct gpu gpu;
	cl_int error;
	cl_uint words = WORDS, seen = 0;
	size_t one = 1;

	gpu_open(&gpu);
	cl_kernel kernel = gpu_kernel(&gpu, source, "last");
	cl_mem buffer = gpu_buffer(&gpu, WORDS * 4), result = gpu_buffer(&gpu, 4);
	volatile uint32_t *words_mapped = clEnqueueMapBuffer(gpu.queue, buffer, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, WORDS * 4,
							     0, NULL, NULL, &error);
	gpu_check(error, "clEnqueueMapBuffer");
	for (uint32_t i = 0; i < WORDS; i++)
		words_mapped[i] = PATTERN + i;
	puts("state=written");
	fflush(stdout);
	for (uint64_t start = now_ns(); words_mapped[WORDS - 1] != ANSWER;) {
		if (now_ns() - start > seconds * 1000000000u) {
			fprintf(stderr, "nobody changed the mapped buffer within %llu s\n", (unsigned long long)seconds);
			return 1;
		}
		usleep(10000);
	}
	gpu_check(clEnqueueUnmapMemObject(gpu.queue, buffer, (void *)words_mapped, 0, NULL, NULL), "unmap");
	gpu_check(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 1, sizeof(result), &result), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 2, sizeof(words), &words), "clSetKernelArg");
	gpu_check(clEnqueueNDRangeKernel(gpu.queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL), "kernel");
	gpu_check(clEnqueueReadBuffer(gpu.queue, result, CL_TRUE, 0, 4, &seen, 0, NULL, NULL), "read");
	printf("state=done kernel_saw=%#x\n", seen);
	clReleaseMemObject(buffer);
	clReleaseMemObject(result);
	clReleaseKernel(kernel);
	gpu_close(&gpu);
	return seen != ANSWER;
}
