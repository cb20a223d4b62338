/* SPDX-License-Identifier: MIT */
/* Blobs at addresses in a real vgpu-compute on PoCL: where they may lie, what kernels find there, how they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CL/cl.h>
#include <cmocka.h>

#include "tests/mdev/engine/engine_harness.h"

#define PLACE (WIRE_SVM_WINDOW_FIRST + 0x12345000)
#define OTHER WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 2)
#define OTHER_BYTES 0x100000u	/* the memory blob's first part, under a name of its own */

enum { K_FOLLOW = 1, K_WHERE, K_SLOW };
static const char program_text[] =
	"struct node { global struct node *next; ulong value; };\n"
	"kernel void follow(global struct node *first, global ulong *sum)\n"
	"{ ulong s = 0; for (global struct node *at = first; at; at = at->next) s += at->value; *sum = s; }\n"
	"kernel void where(global char *a, global ulong *out) { *out = (ulong)(size_t)a; }\n"
	"kernel void slow(global int *a, int rounds)\n"
	"{ int v = a[0]; for (int i = 0; i < rounds; i++) v = v * 1664525 + 1013904223 + i; a[0] = v; }\n";

static void start(struct harness *h)
{
	static const char *const names[] = {"follow", "where", "slow"};

	harness_start(h, NULL);
	harness_tell(h, ENGINE_MAP, OTHER, HARNESS_MEMORY_OFFSET, OTHER_BYTES, 0);
	assert_int_equal(harness_build(h, 1, program_text, NULL, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(harness_kernel(h, i + 1, 1, names[i]), 0);
}

static int32_t map_at(struct harness *h, uint64_t blob_id, uint64_t address)
{
	struct wire_svm_map r = {.slot = harness_slot(h), .blob_id = blob_id, .address = address};

	return harness_wait(h, r.slot, harness_put(h, WIRE_SVM_MAP, &r, sizeof(r)), 10000);
}

static int32_t run(struct harness *h, uint32_t kernel, uint64_t first, uint64_t second)
{
	struct harness_launch l;
	uint32_t slot = harness_slot(h);

	harness_launch_begin(&l, HARNESS_QUEUE, kernel, slot, 1, 1);
	harness_launch_address(&l, first);
	harness_launch_address(&l, second);
	return harness_wait(h, slot, harness_launch_put(h, &l), 20000);
}

static void a_kernel_follows_the_shims_pointers(void **state)
{
	struct { uint64_t next, value; } *node;
	struct harness h;
	uint64_t *sum;

	(void)state;
	start(&h);
	assert_int_equal(map_at(&h, OTHER, PLACE), 0);
	for (unsigned i = 0; i < 50; i++) {
		node = (void *)(h.memory + 64 + i * 1000);
		node->next = i < 49 ? PLACE + 64 + (i + 1) * 1000 : 0;
		node->value = i;
	}
	sum = (uint64_t *)(void *)(h.memory + 0x80000);
	assert_int_equal(run(&h, K_FOLLOW, PLACE + 64, PLACE + 0x80000), 0);
	assert_int_equal(*sum, 49 * 50 / 2);
	/* From elsewhere in the list; and an empty one. */
	assert_int_equal(run(&h, K_FOLLOW, PLACE + 64 + 48 * 1000, PLACE + 0x80000), 0);
	assert_int_equal(*sum, 48 + 49);
	assert_int_equal(run(&h, K_FOLLOW, 0, PLACE + 0x80000), 0);
	assert_int_equal(*sum, 0);
	harness_stop(&h);
	assert_int_equal(h.refused_maps, 0);
}

static void buffers_lie_at_the_address_too(void **state)
{
	const struct wire_range backing = {OTHER, 4096, 4096};
	struct wire_buffer_create c = {.buffer = 1, .flags = CL_MEM_READ_WRITE, .bytes = 4096, .backing = backing};
	struct harness h;
	struct harness_launch l;

	(void)state;
	start(&h);
	assert_int_equal(map_at(&h, OTHER, PLACE), 0);
	c.slot = harness_slot(&h);
	assert_int_equal(harness_wait(&h, c.slot, harness_put(&h, WIRE_BUFFER_CREATE, &c, sizeof(c)), 5000), 0);
	/* The same argument by buffer, by address, by buffer. */
	for (int by = 0; by < 3; by++) {
		uint32_t slot = harness_slot(&h);
		memset(h.memory, 0, 8);
		harness_launch_begin(&l, HARNESS_QUEUE, K_WHERE, slot, 1, 1);
		if (by == 1)
			harness_launch_address(&l, PLACE + 12);
		else
			harness_launch_buffer(&l, 1);
		harness_launch_address(&l, PLACE);
		assert_int_equal(harness_wait(&h, slot, harness_launch_put(&h, &l), 20000), 0);
		assert_int_equal(*(uint64_t *)(void *)h.memory, by == 1 ? PLACE + 12 : PLACE + 4096);
	}
	harness_stop(&h);
}

static void what_cannot_be_placed_is_refused(void **state)
{
	struct harness h;

	(void)state;
	start(&h);
	assert_int_equal(map_at(&h, OTHER, PLACE + 1), CL_INVALID_VALUE);
	assert_int_equal(map_at(&h, OTHER, 0x400000), CL_INVALID_VALUE);
	assert_int_equal(map_at(&h, OTHER, WIRE_SVM_WINDOW_END - OTHER_BYTES + 4096), CL_INVALID_VALUE);
	assert_int_equal(map_at(&h, OTHER + 7, PLACE), CL_INVALID_MEM_OBJECT);
	assert_int_equal(map_at(&h, HARNESS_RING_BLOB, PLACE), CL_INVALID_MEM_OBJECT);
	/* Over another one, at its first and its last page: it is not touched. */
	memset(h.memory, 0, 4096);
	assert_int_equal(map_at(&h, OTHER, PLACE), 0);
	assert_int_equal(map_at(&h, HARNESS_MEMORY_BLOB, PLACE - HARNESS_MEMORY_BYTES + 4096), CL_INVALID_HOST_PTR);
	assert_int_equal(map_at(&h, HARNESS_MEMORY_BLOB, PLACE + OTHER_BYTES - 4096), CL_INVALID_HOST_PTR);
	assert_int_equal(run(&h, K_WHERE, PLACE, PLACE), 0);
	assert_int_equal(*(uint64_t *)(void *)h.memory, PLACE);
	assert_int_equal(map_at(&h, OTHER, PLACE + (64 << 20)), CL_INVALID_MEM_OBJECT);	/* it has an address */
	assert_int_equal(map_at(&h, HARNESS_MEMORY_BLOB, PLACE + OTHER_BYTES), 0);
	/* Addresses of nothing are refused for a kernel's arguments. */
	assert_int_equal(run(&h, K_WHERE, PLACE - 4096, PLACE), CL_INVALID_ARG_VALUE);
	assert_int_equal(run(&h, K_WHERE, 0x400000, PLACE), CL_INVALID_ARG_VALUE);
	assert_int_equal(run(&h, K_WHERE, PLACE, PLACE), 0);
	harness_stop(&h);
	assert_int_equal(h.refused_maps, 0);
}

static void an_address_goes_with_its_blob(void **state)
{
	struct harness h;
	struct engine_message m;

	(void)state;
	start(&h);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(map_at(&h, OTHER, PLACE), 0);
		assert_int_equal(run(&h, K_WHERE, PLACE, PLACE), 0);
		harness_tell(&h, ENGINE_UNMAP, OTHER, HARNESS_MEMORY_OFFSET, OTHER_BYTES, round);
		assert_true(harness_heard(&h, ENGINE_RELEASED, &m, 5000));
		assert_int_equal(run(&h, K_WHERE, PLACE + 1, PLACE), CL_INVALID_ARG_VALUE);
		/* Free for another, at once. */
		harness_tell(&h, ENGINE_MAP, OTHER, HARNESS_MEMORY_OFFSET + round * OTHER_BYTES, OTHER_BYTES, 0);
		harness_tell(&h, ENGINE_RESYNC, 0, 0, 0, ENGINE_PROTOCOL_VERSION);
		assert_true(harness_heard(&h, ENGINE_READY, &m, 5000));
	}
	harness_stop(&h);
}

/* A buffer over the whole blob keeps it until the kernels before its end are done. */
static void a_running_kernel_keeps_its_blob(void **state)
{
	const int rounds = 400000000;
	struct harness h;
	struct harness_launch l;
	struct engine_message m;

	(void)state;
	start(&h);
	assert_int_equal(map_at(&h, OTHER, PLACE), 0);
	struct wire_buffer_create c = {.slot = harness_slot(&h), .buffer = 1, .bytes = OTHER_BYTES, .backing = {OTHER, 0, OTHER_BYTES}};
	assert_int_equal(harness_wait(&h, c.slot, harness_put(&h, WIRE_BUFFER_CREATE, &c, sizeof(c)), 5000), 0);
	uint32_t slot = harness_slot(&h);
	harness_launch_begin(&l, HARNESS_QUEUE, K_SLOW, slot, 1, 1);
	harness_launch_address(&l, PLACE);
	harness_launch_value(&l, &rounds, sizeof(rounds));
	uint64_t sequence = harness_launch_put(&h, &l);
	while (__atomic_load_n(&h.engine_page->processed, __ATOMIC_ACQUIRE) < sequence)
		usleep(1000);
	harness_tell(&h, ENGINE_UNMAP, OTHER, HARNESS_MEMORY_OFFSET, OTHER_BYTES, 8);
	assert_true(harness_heard(&h, ENGINE_RELEASED, &m, 60000));
	assert_true(harness_is_done(&h, slot, sequence));
	assert_int_equal(harness_wait(&h, slot, sequence, 1000), 0);
	harness_stop(&h);
}

static void a_device_that_was_not_proven_takes_no_address(void **state)
{
	struct harness h;

	(void)state;
	for (int discrete = 0; discrete < 2; discrete++) {
		harness_start(&h, &(struct harness_options){.no_svm = true, .discrete = discrete});
		harness_tell(&h, ENGINE_MAP, OTHER, HARNESS_MEMORY_OFFSET, OTHER_BYTES, 0);
		assert_int_equal(map_at(&h, OTHER, PLACE), CL_INVALID_OPERATION);
		harness_stop(&h);
	}
}

/* With an argument: only the tests whose names match it. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_follows_the_shims_pointers),
		cmocka_unit_test(buffers_lie_at_the_address_too),
		cmocka_unit_test(what_cannot_be_placed_is_refused),
		cmocka_unit_test(an_address_goes_with_its_blob),
		cmocka_unit_test(a_running_kernel_keeps_its_blob),
		cmocka_unit_test(a_device_that_was_not_proven_takes_no_address),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
