/* SPDX-License-Identifier: MIT */
/* A real vgpu-compute on PoCL, driven by hand-written records; engine_harness.h plays everything around it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CL/cl.h>
#include <cmocka.h>

#include "tests/mdev/engine/bench_engine.h"
#include "tests/mdev/engine/engine_harness.h"

static const char program_text[] =
	"kernel void empty(void) {}\n"
	"kernel void add(global const int *a, global const int *b, global int *c, int bias)\n"
	"{ size_t i = get_global_id(0); c[i] = a[i] + b[i] + bias; }\n"
	"kernel void reverse(global int *a, local int *t)\n"
	"{ size_t l = get_local_id(0), n = get_local_size(0); t[l] = a[get_global_id(0)];\n"
	"  barrier(CLK_LOCAL_MEM_FENCE); a[get_global_id(0)] = t[n - 1 - l]; }\n"
	"kernel void slow(global int *a, int rounds)\n"
	"{ int v = a[0]; for (int i = 0; i < rounds; i++) v = v * 1664525 + 1013904223 + i; a[0] = v; }\n"
	"kernel void endless(global volatile int *a) { while (a[0] == 0) a[1]++; }\n"
	"kernel void wild(global int *a, ulong at) { ((global int *)at)[0] = a[0]; }\n";

enum { K_EMPTY = 1, K_ADD, K_REVERSE, K_SLOW, K_ENDLESS, K_WILD };
#define PROGRAM 1u

static void make_kernels(struct harness *h)
{
	static const char *const names[] = {"empty", "add", "reverse", "slow", "endless", "wild"};
	const struct wire_build_reply *reply;

	assert_int_equal(harness_build(h, PROGRAM, program_text, NULL, &reply), 0);
	assert_int_equal(reply->build_status, CL_BUILD_SUCCESS);
	assert_int_equal(reply->kernel_count, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(harness_kernel(h, i + 1, PROGRAM, names[i]), 0);
}

static int32_t launch_and_wait(struct harness *h, struct harness_launch *l, int timeout_ms)
{
	struct wire_ndrange *r = (struct wire_ndrange *)(void *)l->bytes;
	uint32_t slot = r->q.slot;

	return harness_wait(h, slot, harness_launch_put(h, l), timeout_ms);
}

static void vector_add_on(const struct harness_options *options)
{
	struct harness h;
	struct harness_launch l;
	const uint32_t count = 4096;
	const int bias = 7;

	harness_start(&h, options);
	make_kernels(&h);
	int *a = (int *)(void *)h.memory, *b = a + count, *c = b + count;
	for (uint32_t i = 0; i < count; i++) {
		a[i] = (int)i;
		b[i] = 1000;
	}
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(harness_buffer(&h, i + 1, i * count * 4, count * 4), 0);
	harness_launch_begin(&l, HARNESS_QUEUE, K_ADD, harness_slot(&h), count, 64);
	for (uint32_t i = 1; i <= 3; i++)
		harness_launch_buffer(&l, i);
	harness_launch_value(&l, &bias, sizeof(bias));
	assert_int_equal(launch_and_wait(&h, &l, 20000), 0);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(c[i], (int)i + 1007);
	harness_stop(&h);
	assert_true(WIFEXITED(h.wait_status));
	assert_int_equal(WEXITSTATUS(h.wait_status), 0);
}

static void vector_add_is_seen_in_the_aperture(void **state)
{
	(void)state;
	vector_add_on(&(struct harness_options){.devices = "pthread"});
	vector_add_on(&(struct harness_options){.devices = "basic"});
	vector_add_on(&(struct harness_options){.devices = "pthread", .strategy = "waiter"});
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--bench")) {
		bench_engine();
		return 0;
	}

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vector_add_is_seen_in_the_aperture),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
