/* SPDX-License-Identifier: MIT */
/* A real vgpu-compute that retires, and its successors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/engine/compute/checkpoint.h"
#include "tests/mdev/engine/engine_harness.h"

#define IDLE_MS 50u
#define PATIENCE_MS 20000
#define COUNT 1024u

static const char program_text[] =
	"kernel void add(global const int *a, global int *c, int bias) { size_t i = get_global_id(0); c[i] = a[i] + bias; }\n";
static const char other_text[] = "kernel void twice(global int *a) { a[get_global_id(0)] *= 2; }\n";

static void until_retired(struct harness *h)
{
	struct engine_message message;

	assert_true(harness_heard(h, ENGINE_RETIRE, &message, PATIENCE_MS));
	assert_int_equal(__atomic_load_n(&h->engine_page->engine_state, __ATOMIC_ACQUIRE), WIRE_ENGINE_RETIRED);
}

static void retire_after(struct harness *h, uint32_t idle_ms)
{
	harness_tell(h, ENGINE_RETIRE_AFTER, 0, 0, 0, idle_ms);
}

static int32_t add(struct harness *h, uint32_t kernel, int bias, uint32_t wait_slot, uint64_t wait_sequence, uint64_t *ret_sequence)
{
	struct harness_launch l;
	uint32_t slot = harness_slot(h);

	harness_launch_begin(&l, HARNESS_QUEUE, kernel, slot, COUNT, 64);
	if (wait_sequence)
		harness_launch_wait(&l, wait_slot, wait_sequence);
	harness_launch_buffer(&l, 1);
	harness_launch_buffer(&l, 2);
	harness_launch_value(&l, &bias, sizeof(bias));
	*ret_sequence = harness_launch_put(h, &l);
	return harness_wait(h, slot, *ret_sequence, PATIENCE_MS);
}

static void objects_counters_and_failures_outlive_an_engine(void **state)
{
	struct harness h;
	struct harness_launch l;
	struct stat file;
	uint64_t sequence, failed, before_ns = 0;
	uint32_t failed_slot;

	(void)state;
	harness_start(&h, NULL);
	int *a = (int *)(void *)h.memory, *c = a + COUNT;
	for (uint32_t i = 0; i < COUNT; i++)
		a[i] = (int)i;
	assert_int_equal(harness_build(&h, 1, program_text, "-w", NULL), 0);
	assert_int_equal(harness_kernel(&h, 1, 1, "add"), 0);
	assert_int_equal(harness_destroy(&h, WIRE_PROGRAM_DESTROY, 1), 0);	/* its kernel lives on; the id is another's */
	assert_int_equal(harness_build(&h, 1, other_text, NULL, NULL), 0);
	assert_int_equal(harness_kernel(&h, 2, 1, "twice"), 0);
	assert_int_equal(harness_buffer(&h, 1, 0, COUNT * 4), 0);
	assert_int_equal(harness_buffer(&h, 2, COUNT * 4, COUNT * 4), 0);
	assert_int_equal(harness_buffer(&h, 3, 1 << 20, 4096), 0);
	assert_int_equal(harness_destroy(&h, WIRE_BUFFER_DESTROY, 3), 0);
	assert_int_equal(harness_queue(&h, 7, CL_QUEUE_PROFILING_ENABLE), 0);
	assert_int_equal(add(&h, 1, 5, 0, 0, &sequence), 0);
	assert_int_not_equal(add(&h, 99, 5, 0, 0, &failed), 0);	/* there is no such kernel */
	failed_slot = h.next_slot - 1;
	/* One without a slot is told by its queue, and counted there. */
	harness_launch_begin(&l, HARNESS_QUEUE, 99, WIRE_NO_SLOT, 1, 0);
	harness_launch_put(&h, &l);
	for (int engine = 0; engine < 3; engine++) {
		retire_after(&h, IDLE_MS);
		until_retired(&h);
		assert_int_equal(h.engine_page->head, h.tail);
		harness_succeed(&h);
		assert_true(WIFEXITED(h.wait_status));
		assert_int_equal(WEXITSTATUS(h.wait_status), 0);
		/* Both kernels, also of the program that is gone. */
		assert_int_equal(add(&h, 1, 100 * engine, 0, 0, &sequence), 0);
		for (uint32_t i = 0; i < COUNT; i++)
			assert_int_equal(c[i], (int)i + 100 * engine);
		harness_launch_begin(&l, HARNESS_QUEUE, 2, harness_slot(&h), COUNT, 64);
		harness_launch_buffer(&l, 2);
		sequence = harness_launch_put(&h, &l);
		assert_int_equal(harness_wait(&h, h.next_slot - 1, sequence, PATIENCE_MS), 0);
		assert_int_equal(c[COUNT - 1], 2 * ((int)COUNT - 1 + 100 * engine));
		assert_true(__atomic_load_n(&h.engine_page->queue_done[HARNESS_QUEUE], __ATOMIC_ACQUIRE) >= sequence);
		/* What failed before is still a reason to fail. */
		assert_int_equal(add(&h, 1, 0, failed_slot, failed, &sequence), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
		/* What was destroyed stays so; what is there is there. */
		assert_int_equal(harness_destroy(&h, WIRE_BUFFER_DESTROY, 3), CL_INVALID_MEM_OBJECT);
		assert_int_equal(harness_buffer(&h, 1, 0, 4096), CL_INVALID_MEM_OBJECT);
		assert_int_equal(harness_build(&h, 1, other_text, NULL, NULL), CL_INVALID_PROGRAM);
		assert_int_equal(harness_queue(&h, 7, 0), CL_INVALID_COMMAND_QUEUE);
		/* Refusals are counted on. */
		harness_launch_begin(&l, HARNESS_QUEUE, 99, WIRE_NO_SLOT, 1, 0);
		sequence = harness_launch_put(&h, &l);
		for (int t = 0; t < PATIENCE_MS && h.engine_page->queue_done[HARNESS_QUEUE] < sequence; t++)
			usleep(1000);
		assert_int_equal(h.engine_page->queue_refused[HARNESS_QUEUE] >> 16, engine + 2);
		/* The profiled queue is one still, and its clock has not gone back. */
		struct wire_queued marker = {.slot = harness_slot(&h), .queue = 7};
		sequence = harness_put(&h, WIRE_MARKER, &marker, sizeof(marker));
		assert_int_equal(harness_wait(&h, marker.slot, sequence, PATIENCE_MS), 0);
		assert_true(h.slots[marker.slot].queued_ns > before_ns);
		assert_true(h.slots[marker.slot].end_ns >= h.slots[marker.slot].queued_ns);
		before_ns = h.slots[marker.slot].end_ns;
		/* The checkpoint's memory has gone back. */
		assert_int_equal(fstat(h.checkpoint_fd, &file), 0);
		assert_int_equal(file.st_blocks, 0);
	}
	assert_int_equal(h.refused_maps, 0);
	harness_stop(&h);
}

/* Either the record is taken by this engine, or the next one finds it: whatever the instant. */
static void a_command_that_comes_just_then_is_not_lost(void **state)
{
	struct harness h;
	unsigned successors = 0;

	(void)state;
	harness_start(&h, &(struct harness_options){.spin_ns = "0"});
	retire_after(&h, 3);
	for (uint32_t i = 0; i < 60; i++) {
		struct wire_queued marker = {.slot = harness_slot(&h), .queue = HARNESS_QUEUE};
		struct engine_message message;

		usleep(500 + i * 7919 % 3500);
		uint64_t sequence = harness_put(&h, WIRE_MARKER, &marker, sizeof(marker));
		while (!harness_is_done(&h, marker.slot, sequence)) {
			/* Retired it may be for an instant only: what counts is the word. */
			if (!harness_heard(&h, ENGINE_RETIRE, &message, 2))
				continue;
			/* Done just before, or left to the next one: what the head says. */
			assert_int_equal(harness_is_done(&h, marker.slot, sequence), h.engine_page->head == h.tail);
			harness_succeed(&h);
			retire_after(&h, 3);
			successors++;
		}
	}
	print_message("%u of 60 commands found a successor\n", successors);
	harness_stop(&h);
}

static void stays(struct harness *h)
{
	struct engine_message message;

	assert_false(harness_heard(h, ENGINE_RETIRE, &message, 10 * IDLE_MS));
	assert_int_equal(h->engine_page->engine_state, WIRE_ENGINE_SLEEPING);
}

static void who_may_not_retire_does_not(void **state)
{
	struct harness h;

	(void)state;
	harness_start(&h, NULL);
	stays(&h);			/* nobody has said so */
	retire_after(&h, IDLE_MS);
	harness_tell(&h, ENGINE_RESYNC, 0, 0, 0, ENGINE_PROTOCOL_VERSION);	/* another device, which has not */
	stays(&h);
	/* Memory of the device's own is in no record. */
	retire_after(&h, 60000);
	struct wire_buffer_create own = {.slot = harness_slot(&h), .buffer = 1, .bytes = 4096};
	uint64_t sequence = harness_put(&h, WIRE_BUFFER_CREATE, &own, sizeof(own));
	struct engine_message message;
	assert_true(harness_heard(&h, ENGINE_CHARGE, &message, PATIENCE_MS));
	harness_tell(&h, ENGINE_CHARGED, 0, 0, 0, message.value);
	assert_int_equal(harness_wait(&h, own.slot, sequence, PATIENCE_MS), 0);
	retire_after(&h, IDLE_MS);
	stays(&h);
	assert_int_equal(harness_destroy(&h, WIRE_BUFFER_DESTROY, 1), 0);
	until_retired(&h);
	harness_stop(&h);
	/* A shim of version 1 would not understand. */
	harness_start(&h, &(struct harness_options){.wire_version = 1});
	retire_after(&h, IDLE_MS);
	stays(&h);
	harness_stop(&h);
}

static void a_damaged_checkpoint_is_a_lost_context(void **state)
{
	static const struct {
		const char *what;
		long at;
	} damages[] = {
		{"no magic", 0},
		{"another version", 4},
		{"a length", 8},
		{"the state", offsetof(struct checkpoint, state)},
		{"a record", sizeof(struct checkpoint) + 20},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct harness h;
		struct engine_message message;
		uint8_t byte;

		harness_start(&h, NULL);
		retire_after(&h, IDLE_MS);
		until_retired(&h);
		assert_int_equal(pread(h.checkpoint_fd, &byte, 1, damages[i].at), 1);
		byte ^= 0x80;
		assert_int_equal(pwrite(h.checkpoint_fd, &byte, 1, damages[i].at), 1);
		harness_succeed(&h);
		if (!harness_heard(&h, ENGINE_FAULT, &message, PATIENCE_MS))
			fail_msg("%s: nothing is said", damages[i].what);
		assert_int_equal(message.value, WIRE_LOST_START);
		harness_died(&h, PATIENCE_MS);
		assert_true(WIFEXITED(h.wait_status));
		harness_stop(&h);
	}
}

/* A blob that was given up meanwhile took its buffers along, as in a living engine. */
static void a_buffer_whose_blob_is_gone_is_gone(void **state)
{
	struct harness h;
	const uint64_t blob = WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 2);

	(void)state;
	harness_start(&h, NULL);
	harness_tell(&h, ENGINE_MAP, blob, HARNESS_MEMORY_OFFSET, 1 << 20, 0);
	struct wire_buffer_create lent = {.slot = harness_slot(&h), .buffer = 4, .bytes = 4096, .backing = {blob, 0, 4096}};
	assert_int_equal(harness_wait(&h, lent.slot, harness_put(&h, WIRE_BUFFER_CREATE, &lent, sizeof(lent)), PATIENCE_MS), 0);
	assert_int_equal(harness_buffer(&h, 5, 0, 4096), 0);
	retire_after(&h, IDLE_MS);
	until_retired(&h);
	harness_succeed(&h);		/* tells it of the first blob only */
	struct wire_buffer_fill fill = {.q = {.slot = harness_slot(&h), .queue = HARNESS_QUEUE}, .buffer = 4, .pattern_bytes = 4, .bytes = 4096};
	assert_int_equal(harness_wait(&h, fill.q.slot, harness_put(&h, WIRE_BUFFER_FILL, &fill, sizeof(fill)), PATIENCE_MS), CL_INVALID_MEM_OBJECT);
	fill.buffer = 5;
	fill.q.slot = harness_slot(&h);
	assert_int_equal(harness_wait(&h, fill.q.slot, harness_put(&h, WIRE_BUFFER_FILL, &fill, sizeof(fill)), PATIENCE_MS), 0);
	harness_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_counters_and_failures_outlive_an_engine),
		cmocka_unit_test(a_command_that_comes_just_then_is_not_lost),
		cmocka_unit_test(who_may_not_retire_does_not),
		cmocka_unit_test(a_damaged_checkpoint_is_a_lost_context),
		cmocka_unit_test(a_buffer_whose_blob_is_gone_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
