/* SPDX-License-Identifier: MIT */
/*
 * Computes and verifies, round after round, every word; notes the longest round. What it proves: whatever was
 * killed and replaced meanwhile, no result was wrong and no call failed. SIGUSR1 ends it after the round at hand, as if
 * its time were over.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest.h"

static const char source[] =
	"kernel void blend(global const uint *in, global uint *out, uint round) {\n"
	"	size_t i = get_global_id(0);\n"
	"	uint x = in[i] ^ round;\n"
	"	for (int k = 0; k < 8; k++) x = x * 1664525u + 1013904223u;\n"
	"	out[i] = x;\n"
	"}\n";

static volatile sig_atomic_t enough;

static void on_enough(int signal)
{
	(void)signal;
	enough = 1;
}

static uint32_t mix(uint32_t value, uint32_t round)
{
	uint32_t x = value ^ round;

	for (int k = 0; k < 8; k++)
		x = x * 1664525u + 1013904223u;
	return x;
}

int soak_main(int argc, char **argv)
{
	const uint64_t seconds = option(argc, argv, "--seconds", 10), words = option(argc, argv, "--words", 16384);
	uint64_t start, said, longest = 0, rounds = 0, wrong = 0;
	struct gpu gpu;
	size_t bytes = words * 4, global = words;
	uint32_t *in = malloc(bytes), *out = malloc(bytes);

	signal(SIGUSR1, on_enough);
	gpu_open(&gpu);
	cl_kernel kernel = gpu_kernel(&gpu, source, "blend");
	cl_mem input = gpu_buffer(&gpu, bytes), output = gpu_buffer(&gpu, bytes);
	gpu_check(clSetKernelArg(kernel, 0, sizeof(input), &input), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 1, sizeof(output), &output), "clSetKernelArg");
	puts("state=started");
	fflush(stdout);
	start = said = now_ns();
	while (!enough && now_ns() - start < seconds * 1000000000u) {
		uint64_t begun = now_ns();
		cl_uint round = (cl_uint)rounds;
		for (size_t i = 0; i < words; i++)
			in[i] = (uint32_t)(i * 2654435761u + rounds);
		gpu_check(clEnqueueWriteBuffer(gpu.queue, input, CL_FALSE, 0, bytes, in, 0, NULL, NULL), "write");
		gpu_check(clSetKernelArg(kernel, 2, sizeof(round), &round), "clSetKernelArg");
		gpu_check(clEnqueueNDRangeKernel(gpu.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL), "kernel");
		gpu_check(clEnqueueReadBuffer(gpu.queue, output, CL_TRUE, 0, bytes, out, 0, NULL, NULL), "read");
		for (size_t i = 0; i < words; i++)
			wrong += out[i] != mix(in[i], round);
		rounds++;
		uint64_t now = now_ns();
		/* The first round compiles. */
		if (rounds > 1 && now - begun > longest)
			longest = now - begun;
		if (now - said > 1000000000u) {
			said = now;
			printf("rounds=%llu wrong=%llu\n", (unsigned long long)rounds, (unsigned long long)wrong);
			fflush(stdout);
		}
	}
	printf("state=done rounds=%llu wrong=%llu longest_round_ms=%.1f\n", (unsigned long long)rounds,
	       (unsigned long long)wrong, (double)longest / 1e6);
	clReleaseMemObject(input);
	clReleaseMemObject(output);
	clReleaseKernel(kernel);
	gpu_close(&gpu);
	free(in);
	free(out);
	return wrong || !rounds;
}
