// SPDX-License-Identifier: MIT
/*
 * The measurements of commands that do some work, or depend on each other: what of the way to the device is left where the device has
 * something to do.
 */
#include "benchmarks/path/work.h"

#include "benchmarks/clock.h"

#define ITEMS 512		/* work items of a kernel */
#define LOCAL 64
#define LOOPS 600		/* 0.3 to 0.6 ms on two processors of today */
#define SYNCHRONOUS_COUNT 200
#define QUEUED_COUNT 16		/* kernels that are waited for together */
#define QUEUED_BATCHES 12
#define CHAIN_LINKS 500
#define CHAINS 8

static const char source[] =
	"__kernel void work(uint loops, __global uint *sink)\n"
	"{\n"
	"	uint x = (uint)get_global_id(0) + 1;\n"
	"	for (uint i = 0; i < loops; i++) {\n"
	"		x ^= x << 13;\n"
	"		x ^= x >> 17;\n"
	"		x ^= x << 5;\n"
	"	}\n"
	"	if (x == 0)\n"		/* never */
	"		*sink = x;\n"
	"}\n"
	"__kernel void add(__global uint *sum) { *sum += 1; }\n";

static const struct wait_list no_wait = { 0 };

static void launch_work(struct session *cl, cl_kernel kernel)
{
	const size_t global = ITEMS, local = LOCAL;

	session_launch(cl, kernel, 1, &global, &local, no_wait, NULL);
}

static cl_kernel work_kernel(struct session *cl)
{
	cl_kernel kernel = session_kernel(cl, session_build(cl, source, ""), "work");

	session_arg_u32(cl, kernel, 0, LOOPS);
	session_arg_buffer(cl, kernel, 1, session_buffer(cl, CL_MEM_READ_WRITE, sizeof(uint32_t), NULL));
	for (unsigned i = 0; i < QUEUED_COUNT; i++)	/* the first compiles it */
		launch_work(cl, kernel);
	session_finish(cl);
	return kernel;
}

void measure_synchronous(struct session *cl, size_t bytes, struct samples *samples)
{
	cl_kernel kernel = work_kernel(cl);

	(void)bytes;
	for (unsigned i = 0; i < SYNCHRONOUS_COUNT && !cl->failed; i++) {
		uint64_t start_ns = clock_now_ns();

		launch_work(cl, kernel);
		session_finish(cl);
		samples_add(samples, (double)(clock_now_ns() - start_ns) / 1e3);
	}
}

void measure_queued(struct session *cl, size_t bytes, struct samples *samples)
{
	cl_kernel kernel = work_kernel(cl);

	(void)bytes;
	for (unsigned batch = 0; batch < QUEUED_BATCHES && !cl->failed; batch++) {
		uint64_t start_ns = clock_now_ns();

		for (unsigned i = 0; i < QUEUED_COUNT; i++)
			launch_work(cl, kernel);
		session_finish(cl);
		samples_add(samples, (double)(clock_now_ns() - start_ns) / 1e3 / QUEUED_COUNT);
	}
}

/* Each link waits for the one before it, which is on the other queue. The number of links done is what they add up to. */
static void chain(struct session *cl, cl_kernel kernel)
{
	const cl_command_queue queues[2] = { cl->queue, cl->upload_queue };
	const size_t one = 1;
	cl_event event[CHAIN_LINKS];
	unsigned made = 0;

	while (made < CHAIN_LINKS && !cl->failed) {
		cl_event *before = made ? &event[made - 1] : NULL;

		if (!session_check(cl, "clEnqueueNDRangeKernel", clEnqueueNDRangeKernel(queues[made % 2], kernel, 1, NULL, &one, &one, before ? 1 : 0,
										      before, &event[made])))
			made++;
	}
	session_flush(cl, queues[0]);
	session_flush(cl, queues[1]);
	if (made)
		session_wait(cl, 1, &event[made - 1]);
	while (made)
		clReleaseEvent(event[--made]);
}

void measure_chains(struct session *cl, size_t bytes, struct samples *samples)
{
	cl_kernel kernel = session_kernel(cl, session_build(cl, source, ""), "add");
	cl_mem sum = session_buffer(cl, CL_MEM_READ_WRITE, sizeof(uint32_t), NULL);
	uint32_t done = 0;

	(void)bytes;
	session_fill_u32(cl, sum, 0, 0, sizeof(done), no_wait, NULL);
	session_finish(cl);
	session_arg_buffer(cl, kernel, 0, sum);
	for (unsigned i = 0; i <= CHAINS && !cl->failed; i++) {
		uint64_t start_ns = clock_now_ns();

		chain(cl, kernel);
		if (i > 0)	/* the first one compiles the kernel */
			samples_add(samples, (double)(clock_now_ns() - start_ns) / 1e3 / CHAIN_LINKS);
	}
	session_read(cl, cl->queue, sum, CL_TRUE, 0, sizeof(done), &done, no_wait, NULL);
	if (!cl->failed && done != (CHAINS + 1) * CHAIN_LINKS)
		session_fail(cl, "%u links of chains across two queues were done, not %u: they were not in order", done, (CHAINS + 1) * CHAIN_LINKS);
}
