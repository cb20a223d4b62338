/* SPDX-License-Identifier: MIT */
/*
 * The client whose system calls tests/e2e/counts.sh counts: for each line "COUNT" on standard input it enqueues so many empty kernels and
 * says "done" when the last has ended. Never more than a few are outstanding: a full ring is waited for, and that is no command's cost. While they
 * run it makes no call of its own; then it writes to the file named by its argument when each burst of BURST commands began and ended, in seconds since
 * 1970, as strace -ttt does, so that what was called can be laid to a burst.
 */
#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OUTSTANDING 8
#define BURST 128		/* commands, a multiple of OUTSTANDING */
#define BURSTS_MAX 1024

static const char source[] = "kernel void nothing(void) { }\n";

static void must(cl_int error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "count_client: %s: error %d\n", what, error);
	exit(1);
}

static struct timespec burst_at[BURSTS_MAX + 1];	/* when burst i began; the one before ended */

/* `bursts` of BURST commands; each batch of OUTSTANDING is waited for. */
static void compute(cl_command_queue queue, cl_kernel kernel, unsigned bursts)
{
	const size_t one = 1;

	clock_gettime(CLOCK_REALTIME, &burst_at[0]);
	for (unsigned burst = 0; burst < bursts; burst++) {
		for (unsigned left = BURST; left; left--) {
			must(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL), "clEnqueueNDRangeKernel");
			if (left % OUTSTANDING == 1)
				must(clFinish(queue), "clFinish");
		}
		clock_gettime(CLOCK_REALTIME, &burst_at[burst + 1]);
	}
}

static void write_times(const char *path, unsigned bursts)
{
	FILE *out = fopen(path, "w");

	if (!out) {
		perror(path);
		exit(1);
	}
	for (unsigned burst = 0; burst < bursts; burst++)
		fprintf(out, "%lld.%06ld %lld.%06ld\n", (long long)burst_at[burst].tv_sec, burst_at[burst].tv_nsec / 1000,
			(long long)burst_at[burst + 1].tv_sec, burst_at[burst + 1].tv_nsec / 1000);
	if (fclose(out)) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	cl_platform_id platform;
	cl_device_id device;
	cl_int error;
	const char *text = source;
	char line[32];

	if (argc != 2) {
		fprintf(stderr, "usage: count_client FILE\n");
		return 2;
	}
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
		line[strcspn(line, "\n")] = '\0';
		unsigned long bursts = strtoul(line, NULL, 10) / BURST;

		if (!bursts || bursts > BURSTS_MAX) {
			fprintf(stderr, "count_client: '%s' is not %d to %d commands\n", line, BURST, BURST * BURSTS_MAX);
			return 2;
		}
		compute(queue, kernel, (unsigned)bursts);
		write_times(argv[1], (unsigned)bursts);
		puts("done");
		fflush(stdout);
	}
	clReleaseKernel(kernel);
	clReleaseProgram(program);
	clReleaseCommandQueue(queue);
	clReleaseContext(context);
	return 0;
}
