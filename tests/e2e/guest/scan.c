/* SPDX-License-Identifier: MIT */
/* Takes --bytes of fresh memory in buffers of --each and counts bytes that are not zero, --rounds times with --pause-ms between:
 * memory that was somebody else's must read as zero, now and later. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "guest.h"

#define BUFFERS_MAX 256

int scan_main(int argc, char **argv)
{
	const uint64_t bytes = option(argc, argv, "--bytes", 64u << 20), each = option(argc, argv, "--each", 8u << 20);
	const uint64_t rounds = option(argc, argv, "--rounds", 1), pause_ms = option(argc, argv, "--pause-ms", 100);
	cl_mem buffers[BUFFERS_MAX];
	uint64_t *mapped[BUFFERS_MAX];
	unsigned count = 0;
	uint64_t dirty = 0;
	struct gpu gpu;
	cl_int error;

	gpu_open(&gpu);
	for (uint64_t taken = 0; taken + each <= bytes && count < BUFFERS_MAX; taken += each, count++) {
		buffers[count] = clCreateBuffer(gpu.context, CL_MEM_READ_WRITE, each, NULL, &error);
		if (error != CL_SUCCESS)
			break;
		mapped[count] = clEnqueueMapBuffer(gpu.queue, buffers[count], CL_TRUE, CL_MAP_READ, 0, each, 0, NULL, NULL, &error);
		if (error != CL_SUCCESS) {
			clReleaseMemObject(buffers[count]);
			break;
		}
	}
	for (uint64_t round = 0; round < rounds; round++) {
		for (unsigned b = 0; b < count; b++)
			for (uint64_t i = 0; i < each / 8; i++)
				dirty += ((volatile uint64_t *)mapped[b])[i] != 0;
		if (round + 1 < rounds)
			usleep((useconds_t)pause_ms * 1000);
	}
	printf("state=done buffers=%u error=%d dirty_words=%llu\n", count, error, (unsigned long long)dirty);
	for (unsigned b = 0; b < count; b++) {
		clEnqueueUnmapMemObject(gpu.queue, buffers[b], mapped[b], 0, NULL, NULL);
		clReleaseMemObject(buffers[b]);
	}
	gpu_close(&gpu);
	return dirty != 0 || count == 0;
}
