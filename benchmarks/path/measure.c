// SPDX-License-Identifier: MIT
/*
 * The measurements of the way to the device: what a command, a transfer and a mapping cost when the
 * device has next to nothing to do. Each runs in a session of its own, after an untimed warm-up (the
 * first launch of a kernel may compile it, the first touch of memory faults).
 */
#include "benchmarks/path/measure.h"

#include "benchmarks/clock.h"
#include "benchmarks/path/work.h"

#include <string.h>

#define FINISH_WARMUP 200
#define FINISH_COUNT 2000
#define ASYNC_BATCHES 20
#define ASYNC_BATCH 1000
#define THROUGHPUT_COUNT 100000
#define THROUGHPUT_MANY 1000000
#define THROUGHPUT_FLUSH 1000
#define TRANSFER_BYTES_TOTAL ((size_t)128 << 20)
#define TRANSFERS_MIN 3
#define TRANSFERS_MAX 200

static const char empty_source[] = "__kernel void empty(void) { }\n";

static const struct wait_list no_wait = { 0 };

static cl_kernel empty_kernel(struct session *cl)
{
	return session_kernel(cl, session_build(cl, empty_source, ""), "empty");
}

static void launch_empty(struct session *cl, cl_kernel kernel)
{
	const size_t one = 1;

	session_launch(cl, kernel, 1, &one, &one, no_wait, NULL);
}

static void finish_each(struct session *cl, cl_kernel kernel, unsigned count, struct samples *samples)
{
	for (unsigned i = 0; i < count && !cl->failed; i++) {
		uint64_t start_ns = clock_now_ns();

		launch_empty(cl, kernel);
		session_finish(cl);
		if (samples)
			samples_add(samples, (double)(clock_now_ns() - start_ns) / 1e3);
	}
}

static void enqueue_finish(struct session *cl, size_t bytes, struct samples *samples)
{
	cl_kernel kernel = empty_kernel(cl);

	(void)bytes;
	finish_each(cl, kernel, FINISH_WARMUP, NULL);
	finish_each(cl, kernel, FINISH_COUNT, samples);
}

/* The enqueues alone; the clFinish after each batch is not timed. */
static void enqueue_async(struct session *cl, size_t bytes, struct samples *samples)
{
	cl_kernel kernel = empty_kernel(cl);

	(void)bytes;
	finish_each(cl, kernel, FINISH_WARMUP, NULL);
	for (unsigned batch = 0; batch < ASYNC_BATCHES && !cl->failed; batch++) {
		uint64_t start_ns = clock_now_ns();

		for (unsigned i = 0; i < ASYNC_BATCH; i++)
			launch_empty(cl, kernel);
		samples_add(samples, (double)(clock_now_ns() - start_ns) / ASYNC_BATCH);
		session_finish(cl);
	}
}

/* Enqueue and completion of many, as an application with a deep queue sees it. */
static void throughput_of(struct session *cl, unsigned count, struct samples *samples)
{
	cl_kernel kernel = empty_kernel(cl);
	uint64_t start_ns;

	finish_each(cl, kernel, FINISH_WARMUP, NULL);
	start_ns = clock_now_ns();
	for (unsigned i = 1; i <= count && !cl->failed; i++) {
		launch_empty(cl, kernel);
		if (i % THROUGHPUT_FLUSH == 0)
			session_flush(cl, cl->queue);
	}
	session_finish(cl);
	samples_add(samples, count / ((double)(clock_now_ns() - start_ns) / 1e9));
}

static void throughput(struct session *cl, size_t bytes, struct samples *samples)
{
	(void)bytes;
	throughput_of(cl, THROUGHPUT_COUNT, samples);
}

static void throughput_many(struct session *cl, size_t bytes, struct samples *samples)
{
	(void)bytes;
	throughput_of(cl, THROUGHPUT_MANY, samples);
}

static unsigned transfer_count(size_t bytes)
{
	size_t count = TRANSFER_BYTES_TOTAL / bytes;

	if (count < TRANSFERS_MIN)
		return TRANSFERS_MIN;
	return count > TRANSFERS_MAX ? TRANSFERS_MAX : (unsigned)count;
}

/* A buffer and host memory, all pages touched; NULL once the session has failed. */
static cl_mem transfer_buffer(struct session *cl, size_t bytes, void **ret_host)
{
	cl_mem buffer = session_buffer(cl, CL_MEM_READ_WRITE, bytes, NULL);
	void *host = session_host_memory(cl, bytes, 1);

	if (!host)
		return NULL;
	memset(host, 0x5a, bytes);
	session_write(cl, cl->queue, buffer, CL_TRUE, 0, bytes, host, no_wait, NULL);
	*ret_host = host;
	return cl->failed ? NULL : buffer;
}

static void write_blocking(struct session *cl, size_t bytes, struct samples *samples)
{
	void *host;
	cl_mem buffer = transfer_buffer(cl, bytes, &host);

	for (unsigned i = 0; buffer && i < transfer_count(bytes) && !cl->failed; i++) {
		uint64_t start_ns = clock_now_ns();

		session_write(cl, cl->queue, buffer, CL_TRUE, 0, bytes, host, no_wait, NULL);
		samples_add(samples, (double)(clock_now_ns() - start_ns) / 1e3);
	}
}

static void read_blocking(struct session *cl, size_t bytes, struct samples *samples)
{
	void *host;
	cl_mem buffer = transfer_buffer(cl, bytes, &host);

	for (unsigned i = 0; buffer && i < transfer_count(bytes) && !cl->failed; i++) {
		uint64_t start_ns = clock_now_ns();

		session_read(cl, cl->queue, buffer, CL_TRUE, 0, bytes, host, no_wait, NULL);
		samples_add(samples, (double)(clock_now_ns() - start_ns) / 1e3);
	}
}

/* A mapping for reading and writing, and its end, without touching what is mapped. */
static void map_unmap(struct session *cl, size_t bytes, struct samples *samples)
{
	cl_mem buffer = session_buffer(cl, CL_MEM_READ_WRITE, bytes, NULL);

	for (unsigned i = 0; i <= transfer_count(bytes) && !cl->failed; i++) {
		uint64_t start_ns = clock_now_ns();
		void *mapped = session_map(cl, buffer, CL_MAP_READ | CL_MAP_WRITE, bytes);

		if (mapped && i == 0)	/* the first one warms up */
			memset(mapped, 0x5a, bytes);
		session_unmap(cl, buffer, mapped, NULL);
		session_finish(cl);
		if (i > 0)
			samples_add(samples, (double)(clock_now_ns() - start_ns) / 1e3);
	}
}

#define TRANSFERS(name, size) \
	{ "write_" name, "transfers", "us", false, size, write_blocking }, \
	{ "read_" name, "transfers", "us", false, size, read_blocking }, \
	{ "map_unmap_" name, "transfers", "us", false, size, map_unmap }

const struct measurement measurements[] = {
	{ "enqueue_finish", "commands", "us", false, 0, enqueue_finish },
	{ "enqueue_async", "commands", "ns", false, 0, enqueue_async },
	{ "empty_100k", "commands", "kernels/s", true, 0, throughput },
	{ "empty_1M", "many", "kernels/s", true, 0, throughput_many },
	{ "chain_2_queues", "work", "us", false, 0, measure_chains },
	{ "kernel_0.5ms_synchronous", "work", "us", false, 0, measure_synchronous },
	{ "kernel_0.5ms_queued", "work", "us", false, 0, measure_queued },
	TRANSFERS("4KiB", (size_t)4 << 10),
	TRANSFERS("64KiB", (size_t)64 << 10),
	TRANSFERS("1MiB", (size_t)1 << 20),
	TRANSFERS("16MiB", (size_t)16 << 20),
	TRANSFERS("64MiB", (size_t)64 << 20),
	TRANSFERS("256MiB", (size_t)256 << 20),
};
const unsigned measurement_count = sizeof(measurements) / sizeof(measurements[0]);
