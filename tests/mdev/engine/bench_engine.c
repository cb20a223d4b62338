/* SPDX-License-Identifier: MIT */
#include "tests/mdev/engine/bench_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/mdev/engine/engine_harness.h"

#define ROUNDS 3000u
#define FLOOD 20000u

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void print_times(const char *what, uint64_t *times_ns, unsigned count)
{
	qsort(times_ns, count, sizeof(*times_ns), by_size);
	printf("  %-44s median %8.2f us   p99 %8.2f us\n", what, times_ns[count / 2] / 1e3, times_ns[count * 99 / 100] / 1e3);
}

/* One launch, waited for. */
static void round_trips(struct harness *h, const char *what, unsigned pause_us)
{
	static uint64_t times_ns[ROUNDS];
	struct harness_launch l;
	unsigned count = pause_us ? ROUNDS / 10 : ROUNDS;

	for (unsigned i = 0; i < count + 100; i++) {
		if (pause_us)
			usleep(pause_us);
		uint64_t start_ns = harness_now_ns();
		uint32_t slot = harness_slot(h);
		harness_launch_begin(&l, HARNESS_QUEUE, 1, slot, 1, 1);
		harness_wait(h, slot, harness_launch_put(h, &l), 10000);
		if (i >= 100)
			times_ns[i - 100] = harness_now_ns() - start_ns;
	}
	print_times(what, times_ns, count);
}

static void flood(struct harness *h)
{
	struct harness_launch l;
	uint64_t start_ns = harness_now_ns(), sequence = 0;
	uint32_t slot = 0;

	for (unsigned i = 0; i < FLOOD; i++) {
		slot = i + 1 == FLOOD ? harness_slot(h) : WIRE_NO_SLOT;
		harness_launch_begin(&l, HARNESS_QUEUE, 1, slot, 1, 1);
		sequence = harness_launch_put(h, &l);
	}
	harness_wait(h, slot, sequence, 60000);
	printf("  %-44s %15.2f us each\n", "20000 empty kernels, one wait", (harness_now_ns() - start_ns) / 1e3 / FLOOD);
}

static void run(const char *devices, const char *strategy, const char *spin_ns)
{
	const struct harness_options options = {.devices = devices, .strategy = strategy, .spin_ns = spin_ns};
	struct harness h;

	printf("%s, completions %s, spin %s ns\n", devices, strategy ? strategy : "by trial", spin_ns ? spin_ns : "default");
	harness_start(&h, &options);
	harness_build(&h, 1, "kernel void empty(void) {}", NULL, NULL);
	harness_kernel(&h, 1, 1, "empty");
	round_trips(&h, "empty kernel, enqueue + wait", 0);
	round_trips(&h, "the same after 1 ms of silence (doorbell)", 1000);
	flood(&h);
	harness_stop(&h);
}

void bench_engine(void)
{
	run("basic", NULL, NULL);
	run("basic", NULL, "0");
	run("pthread", NULL, NULL);
	run("pthread", NULL, "0");
	run("pthread", "native", NULL);
	run("pthread", "waiter", NULL);
	run("pthread", "waiter", "0");
	run("pthread", "synchronous", NULL);
}
