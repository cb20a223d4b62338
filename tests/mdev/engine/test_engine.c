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
	vector_add_on(&(struct harness_options){.devices = "pthread", .strategy = "native"});
	vector_add_on(&(struct harness_options){.devices = "pthread", .strategy = "waiter"});
}

static void a_failed_build_answers_with_its_log(void **state)
{
	struct harness h;
	const struct wire_build_reply *reply;

	(void)state;
	harness_start(&h, NULL);
	assert_int_equal(harness_build(&h, PROGRAM, "kernel void f(global int *a) { a[0] = no_such_thing; }", NULL, &reply), 0);
	assert_int_equal(reply->build_status, CL_BUILD_ERROR);
	assert_int_equal(reply->error, CL_BUILD_PROGRAM_FAILURE);
	assert_true(reply->log_bytes > 0);
	assert_int_equal(reply->kernel_count, 0);
	assert_non_null(memmem(reply + 1, reply->log_bytes, "no_such_thing", 13));
	/* The id is taken until it is destroyed; a program that did not build makes no kernel. */
	assert_int_equal(harness_build(&h, PROGRAM, "kernel void g(void) {}", NULL, NULL), CL_INVALID_PROGRAM);
	assert_true(harness_kernel(&h, 1, PROGRAM, "f") < 0);
	assert_int_equal(harness_destroy(&h, WIRE_PROGRAM_DESTROY, PROGRAM), 0);
	assert_int_equal(harness_build(&h, PROGRAM, "kernel void g(void) {}", NULL, &reply), 0);
	assert_int_equal(reply->build_status, CL_BUILD_SUCCESS);
	harness_stop(&h);
}

static void a_build_reply_describes_kernels_and_arguments(void **state)
{
	struct harness h;
	const struct wire_build_reply *reply;

	(void)state;
	harness_start(&h, NULL);
	assert_int_equal(harness_build(&h, PROGRAM, "kernel void f(global const float *in, local int *tmp, uint4 v, int n) {}",
				       "-cl-std=CL1.2", &reply), 0);
	assert_int_equal(reply->kernel_count, 1);
	const uint8_t *at = (const uint8_t *)(reply + 1) + ((reply->log_bytes + 7) & ~7u);
	struct wire_kernel_info kernel;
	memcpy(&kernel, at, sizeof(kernel));
	assert_int_equal(kernel.arg_count, 4);
	assert_int_equal(kernel.name_bytes, 1);
	assert_true(kernel.work_group_size > 0);
	at += sizeof(kernel);
	assert_memory_equal(at, "f", 1);
	at += 8 + ((kernel.attributes_bytes + 7) & ~7u);
	static const struct {
		const char *name;
		uint32_t address, kind, value_bytes;
	} expected[] = {
		{"in", CL_KERNEL_ARG_ADDRESS_GLOBAL, WIRE_ARG_BUFFER, 0},
		{"tmp", CL_KERNEL_ARG_ADDRESS_LOCAL, WIRE_ARG_LOCAL, 0},
		{"v", CL_KERNEL_ARG_ADDRESS_PRIVATE, WIRE_ARG_VALUE, 16},
		{"n", CL_KERNEL_ARG_ADDRESS_PRIVATE, WIRE_ARG_VALUE, 4},
	};
	for (unsigned i = 0; i < 4; i++) {
		struct wire_arg_info arg;
		memcpy(&arg, at, sizeof(arg));
		at += sizeof(arg) + ((arg.type_name_bytes + 7) & ~7u);
		assert_int_equal(arg.address_qualifier, expected[i].address);
		assert_int_equal(arg.kind, expected[i].kind);
		assert_int_equal(arg.value_bytes, expected[i].value_bytes);
		assert_int_equal(arg.name_bytes, strlen(expected[i].name));
		assert_memory_equal(at, expected[i].name, arg.name_bytes);
		at += (arg.name_bytes + 7) & ~7u;
	}

	/* Too small a reply says how much is needed, and the program stands. */
	struct wire_program_build again = {
		.slot = harness_slot(&h), .program = PROGRAM, .reply = {HARNESS_MEMORY_BLOB, 0, sizeof(*reply)}};
	uint64_t sequence = harness_put(&h, WIRE_PROGRAM_BUILD, &again, sizeof(again));
	assert_int_equal(harness_wait(&h, again.slot, sequence, 5000), CL_OUT_OF_HOST_MEMORY);
	uint32_t needed = h.slots[again.slot].value;
	assert_int_equal(needed, at - (const uint8_t *)reply);
	again.slot = harness_slot(&h);
	again.reply.bytes = needed;
	sequence = harness_put(&h, WIRE_PROGRAM_BUILD, &again, sizeof(again));
	assert_int_equal(harness_wait(&h, again.slot, sequence, 5000), 0);
	assert_memory_equal(h.memory, reply, needed);
	harness_stop(&h);
}

static void put_slow(struct harness_launch *l, uint32_t queue, uint32_t slot, int rounds)
{
	harness_launch_begin(l, queue, K_SLOW, slot, 1, 1);
	harness_launch_buffer(l, 1);
	harness_launch_value(l, &rounds, sizeof(rounds));
}

/* Rounds of `slow` that take about this long here; also builds its variant. */
static int rounds_for_ms(struct harness *h, unsigned ms)
{
	struct harness_launch l;
	uint64_t best_ns = UINT64_MAX;

	for (int i = 0; i < 3; i++) {
		put_slow(&l, HARNESS_QUEUE, harness_slot(h), 2000000);
		uint64_t start_ns = harness_now_ns();
		assert_int_equal(launch_and_wait(h, &l, 20000), 0);
		if (harness_now_ns() - start_ns < best_ns)
			best_ns = harness_now_ns() - start_ns;
	}
	double rounds = 2e6 * ms * 1e6 / (double)best_ns;
	return rounds > 2e9 ? 2000000000 : (int)rounds;
}

static void completions_come_in_order_with_times_on(const struct harness_options *options)
{
	struct harness h;
	struct harness_launch l;
	uint64_t sequences[6];
	uint32_t slots[6];

	harness_start(&h, options);
	make_kernels(&h);
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	assert_int_equal(harness_queue(&h, 2, CL_QUEUE_PROFILING_ENABLE), 0);
	assert_int_equal(harness_queue(&h, 2, 0), CL_INVALID_COMMAND_QUEUE);
	int rounds = rounds_for_ms(&h, 3);
	for (unsigned i = 0; i < 6; i++) {
		slots[i] = harness_slot(&h);
		put_slow(&l, 2, slots[i], rounds);
		sequences[i] = harness_launch_put(&h, &l);
	}
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(harness_wait(&h, slots[i], sequences[i], 20000), 0);
		for (unsigned j = 0; j < i; j++)
			assert_true(harness_is_done(&h, slots[j], sequences[j]));
		const struct wire_slot *s = &h.slots[slots[i]];
		assert_true(s->queued_ns && s->queued_ns <= s->submit_ns && s->submit_ns <= s->start_ns);
		assert_true(s->start_ns < s->end_ns);
		if (i)
			assert_true(h.slots[slots[i - 1]].end_ns <= s->start_ns);
	}
	assert_int_equal(__atomic_load_n(&h.engine_page->queue_done[2], __ATOMIC_ACQUIRE), sequences[5]);
	assert_true(h.engine_page->host_now_ns >= h.slots[slots[5]].end_ns);
	assert_int_equal(h.engine_page->processed, sequences[5]);
	assert_true(atomic_load(&h.status->kernels) >= 6);
	assert_true(atomic_load(&h.status->busy_ns) > 0);
	harness_stop(&h);
}

static void completions_come_in_order_with_times(void **state)
{
	(void)state;
	completions_come_in_order_with_times_on(&(struct harness_options){.devices = "pthread"});
	completions_come_in_order_with_times_on(&(struct harness_options){.devices = "basic"});
	completions_come_in_order_with_times_on(&(struct harness_options){.devices = "pthread", .strategy = "native"});
	completions_come_in_order_with_times_on(&(struct harness_options){.devices = "pthread", .strategy = "waiter"});
}

static void a_record_waits_for_one_of_another_queue(void **state)
{
	struct harness h;
	struct harness_launch l;

	(void)state;
	harness_start(&h, NULL);
	make_kernels(&h);
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	assert_int_equal(harness_buffer(&h, 2, 4096, 4096), 0);
	assert_int_equal(harness_queue(&h, 2, 0), 0);
	int rounds = rounds_for_ms(&h, 30);
	uint32_t slow_slot = harness_slot(&h), marker_slot = harness_slot(&h), copy_slot = harness_slot(&h);
	*(int *)(void *)h.memory = 1;
	put_slow(&l, HARNESS_QUEUE, slow_slot, rounds);
	harness_launch_put(&h, &l);
	struct wire_queued marker = {.slot = marker_slot, .queue = HARNESS_QUEUE};
	uint64_t marked = harness_put(&h, WIRE_MARKER, &marker, sizeof(marker));
	struct {
		struct wire_buffer_copy copy;
		struct wire_wait wait;
	} r = {
		.copy = {.q = {.slot = copy_slot, .queue = 2, .wait_count = 1}, .source = 1, .destination = 2, .bytes = 4},
		.wait = {.sequence = marked, .slot = marker_slot},
	};
	uint64_t copied = harness_put(&h, WIRE_BUFFER_COPY, &r, sizeof(r));
	assert_int_equal(harness_wait(&h, copy_slot, copied, 20000), 0);
	assert_memory_equal(h.memory, h.memory + 4096, 4);
	assert_int_not_equal(*(int *)(void *)h.memory, 1);

	/* A wait for a record that failed fails the waiter, and the queue goes on. */
	struct wire_buffer_copy bad = {.q = {.slot = harness_slot(&h), .queue = 2}, .source = 99, .destination = 2, .bytes = 4};
	uint64_t failed = harness_put(&h, WIRE_BUFFER_COPY, &bad, sizeof(bad));
	r.wait = (struct wire_wait){.sequence = failed, .slot = bad.q.slot};
	r.copy.q.slot = harness_slot(&h);
	uint64_t waiter = harness_put(&h, WIRE_BUFFER_COPY, &r, sizeof(r));
	assert_int_equal(harness_wait(&h, bad.q.slot, failed, 5000), CL_INVALID_MEM_OBJECT);
	assert_int_equal(harness_wait(&h, r.copy.q.slot, waiter, 5000), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	r.copy.q.wait_count = 0;
	r.copy.q.slot = harness_slot(&h);
	uint64_t after = harness_put(&h, WIRE_BUFFER_COPY, &r, sizeof(r.copy));
	assert_int_equal(harness_wait(&h, r.copy.q.slot, after, 5000), 0);
	assert_int_equal(__atomic_load_n(&h.engine_page->queue_done[2], __ATOMIC_ACQUIRE), after);
	harness_stop(&h);
}

static void fill_copy_write_read_on(bool discrete)
{
	struct harness h;
	const struct harness_options options = {.discrete = discrete};
	struct engine_message m;

	harness_start_bare(&h, &options);
	harness_tell(&h, ENGINE_RING, HARNESS_RING_BLOB, 0, 0, WIRE_VERSION);
	assert_true(harness_heard(&h, ENGINE_READY, &m, 20000));
	assert_int_equal(harness_queue(&h, HARNESS_QUEUE, 0), 0);
	for (uint32_t i = 1; i <= 2; i++) {
		struct wire_buffer_create r = {.slot = harness_slot(&h), .buffer = i, .bytes = 65536};
		if (!discrete)
			r.backing = (struct wire_range){HARNESS_MEMORY_BLOB, i * 65536, 65536};
		uint64_t sequence = harness_put(&h, WIRE_BUFFER_CREATE, &r, sizeof(r));
		if (discrete) {
			assert_true(harness_heard(&h, ENGINE_CHARGE, &m, 5000));
			assert_int_equal(m.value, i * 65536);
			harness_tell(&h, ENGINE_CHARGED, 0, 0, 0, m.value);
		}
		assert_int_equal(harness_wait(&h, r.slot, sequence, 5000), 0);
	}
	for (unsigned i = 0; i < 65536; i++)
		h.memory[(1 << 20) + i] = (uint8_t)(i * 7);
	struct wire_buffer_transfer w = {.q = {.slot = WIRE_NO_SLOT, .queue = 1}, .buffer = 1, .range = {HARNESS_MEMORY_BLOB, 1 << 20, 65536}};
	harness_put(&h, WIRE_BUFFER_WRITE, &w, sizeof(w));
	struct wire_buffer_fill f = {.q = {.slot = WIRE_NO_SLOT, .queue = 1}, .buffer = 1, .pattern_bytes = 2, .offset = 100, .bytes = 200, .pattern = {0xab, 0xcd}};
	harness_put(&h, WIRE_BUFFER_FILL, &f, sizeof(f));
	struct wire_buffer_copy c = {.q = {.slot = WIRE_NO_SLOT, .queue = 1}, .source = 1, .destination = 2, .bytes = 65536};
	harness_put(&h, WIRE_BUFFER_COPY, &c, sizeof(c));
	struct wire_buffer_transfer r = {.q = {.slot = harness_slot(&h), .queue = 1}, .buffer = 2, .range = {HARNESS_MEMORY_BLOB, 2 << 20, 65536}};
	uint64_t sequence = harness_put(&h, WIRE_BUFFER_READ, &r, sizeof(r));
	assert_int_equal(harness_wait(&h, r.q.slot, sequence, 5000), 0);
	for (unsigned i = 0; i < 65536; i++) {
		uint8_t expected = i >= 100 && i < 300 ? (i & 1 ? 0xcd : 0xab) : (uint8_t)(i * 7);
		if (h.memory[(2 << 20) + i] != expected)
			fail_msg("byte %u is %02x, not %02x", i, h.memory[(2 << 20) + i], expected);
	}
	/* Outside the buffer. */
	r.q.slot = harness_slot(&h);
	r.offset = 1;
	sequence = harness_put(&h, WIRE_BUFFER_READ, &r, sizeof(r));
	assert_int_equal(harness_wait(&h, r.q.slot, sequence, 5000), CL_INVALID_VALUE);
	if (discrete) {
		/* Refused by the ledger: the API's error, and the total wanted is the old one again. */
		struct wire_buffer_create more = {.slot = harness_slot(&h), .buffer = 3, .bytes = 65536};
		sequence = harness_put(&h, WIRE_BUFFER_CREATE, &more, sizeof(more));
		assert_true(harness_heard(&h, ENGINE_CHARGE, &m, 5000));
		harness_tell(&h, ENGINE_CHARGED, 0, 0, 0, 2 * 65536);
		assert_int_equal(harness_wait(&h, more.slot, sequence, 5000), CL_MEM_OBJECT_ALLOCATION_FAILURE);
		harness_tell(&h, ENGINE_RESYNC, 0, 0, 0, ENGINE_PROTOCOL_VERSION);
		assert_true(harness_heard(&h, ENGINE_READY, &m, 5000));
		assert_true(harness_heard(&h, ENGINE_CHARGE, &m, 5000));
		assert_int_equal(m.value, 2 * 65536);
		harness_tell(&h, ENGINE_CHARGED, 0, 0, 0, m.value);
		assert_int_equal(harness_destroy(&h, WIRE_BUFFER_DESTROY, 1), 0);
		assert_true(harness_heard(&h, ENGINE_CHARGE, &m, 5000));
		assert_int_equal(m.value, 65536);
	}
	harness_stop(&h);
}

/* What a record waited for is over for the guest before the record itself is: whoever sees the later one may ask for the
 * times of the earlier. */
static void seen_in_order_on(const struct harness_options *options)
{
	struct harness h;
	struct harness_launch l;
	unsigned late = 0;

	harness_start(&h, options);
	make_kernels(&h);
	assert_int_equal(harness_queue(&h, 2, 0), 0);
	for (unsigned i = 0; i < 400; i++) {
		uint32_t first_slot = harness_slot(&h), second_slot = harness_slot(&h);
		harness_launch_begin(&l, HARNESS_QUEUE, K_EMPTY, first_slot, 1, 1);
		uint64_t first = harness_launch_put(&h, &l);
		struct {
			struct wire_queued marker;
			struct wire_wait wait;
		} r = {
			.marker = {.slot = second_slot, .queue = 2, .wait_count = 1},
			.wait = {.sequence = first, .slot = first_slot},
		};
		uint64_t second = harness_put(&h, WIRE_MARKER, &r, sizeof(r));
		uint64_t start_ns = harness_now_ns();
		while (!harness_is_done(&h, second_slot, second))
			assert_true(harness_now_ns() - start_ns < 20000000000u);
		late += !harness_is_done(&h, first_slot, first);
	}
	harness_stop(&h);
	assert_int_equal(late, 0);
}

static void what_was_waited_for_is_seen_first(void **state)
{
	(void)state;
	seen_in_order_on(&(struct harness_options){.devices = "basic"});
	seen_in_order_on(&(struct harness_options){.devices = "pthread"});
	seen_in_order_on(&(struct harness_options){.devices = "pthread", .strategy = "native"});
	seen_in_order_on(&(struct harness_options){.devices = "pthread", .strategy = "waiter"});
}

static bool counted(struct harness *h, uint32_t queue, uint64_t sequence)
{
	uint64_t start_ns = harness_now_ns();

	while (harness_now_ns() - start_ns < 5000000000u) {
		if (__atomic_load_n(&h->engine_page->queue_done[queue], __ATOMIC_ACQUIRE) >= sequence)
			return true;
		usleep(1000);
	}
	return false;
}

/* Whoever waits for a queue by its counter must come back, whatever became of the queue. */
static void every_queue_is_counted(void **state)
{
	struct harness h;
	struct harness_launch l;

	(void)state;
	harness_start(&h, NULL);
	make_kernels(&h);
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	int rounds = rounds_for_ms(&h, 30);
	struct wire_queue_create bad = {.slot = WIRE_NO_SLOT, .queue = 9, .properties = 1u << 20};
	uint64_t refused = harness_put(&h, WIRE_QUEUE_CREATE, &bad, sizeof(bad));
	assert_true(counted(&h, 9, refused));
	struct wire_queued marker = {.slot = WIRE_NO_SLOT, .queue = 9};
	refused = harness_put(&h, WIRE_MARKER, &marker, sizeof(marker));
	assert_true(counted(&h, 9, refused));
	assert_int_equal(h.engine_page->failed, refused);
	assert_int_equal(h.engine_page->failed_status, CL_INVALID_COMMAND_QUEUE);
	/* The refused creation, then what needed it: each queue has its own word for that. */
	assert_int_equal(h.engine_page->queue_refused[9], WIRE_REFUSED(2, CL_INVALID_COMMAND_QUEUE));
	assert_int_equal(h.engine_page->queue_refused[HARNESS_QUEUE], 0);
	struct {
		struct wire_buffer_copy copy;
		struct wire_wait wait;
	} copy = {.copy = {.q = {.slot = harness_slot(&h), .queue = HARNESS_QUEUE}, .source = 99, .destination = 1, .bytes = 4}};
	copy.wait = (struct wire_wait){.slot = copy.copy.q.slot};
	copy.wait.sequence = harness_put(&h, WIRE_BUFFER_COPY, &copy, sizeof(copy.copy));
	copy.copy.q.slot = WIRE_NO_SLOT;
	copy.copy.q.wait_count = 1;	/* fails with its list, which told */
	assert_true(counted(&h, HARNESS_QUEUE, harness_put(&h, WIRE_BUFFER_COPY, &copy, sizeof(copy))));
	assert_int_equal(h.engine_page->queue_refused[HARNESS_QUEUE], 0);
	copy.copy.q.wait_count = 0;
	assert_true(counted(&h, HARNESS_QUEUE, harness_put(&h, WIRE_BUFFER_COPY, &copy, sizeof(copy.copy))));
	assert_int_equal(h.engine_page->queue_refused[HARNESS_QUEUE], WIRE_REFUSED(1, CL_INVALID_MEM_OBJECT));
	assert_int_equal(h.engine_page->queue_refused[9], WIRE_REFUSED(2, CL_INVALID_COMMAND_QUEUE));

	assert_int_equal(harness_queue(&h, 2, 0), 0);
	put_slow(&l, 2, WIRE_NO_SLOT, rounds);
	uint64_t slow = harness_launch_put(&h, &l);
	assert_int_equal(harness_destroy(&h, WIRE_QUEUE_DESTROY, 2), 0);
	assert_true(counted(&h, 2, slow));
	harness_stop(&h);
}

static void a_nop_may_be_longer_than_any_record(void **state)
{
	struct harness h;

	(void)state;
	harness_start(&h, NULL);
	const struct wire_header nop = {
		.opcode = WIRE_NOP, .bytes = WIRE_RING_BYTES - h.tail % WIRE_RING_BYTES, .sequence = h.sequence};
	assert_true(nop.bytes > WIRE_RECORD_MAX_BYTES);
	memcpy(h.records + h.tail % WIRE_RING_BYTES, &nop, sizeof(nop));
	h.tail += nop.bytes;
	__atomic_store_n(&h.shim_page->tail, h.tail, __ATOMIC_SEQ_CST);
	harness_ring_bell(&h);
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	harness_stop(&h);
	assert_true(WIFEXITED(h.wait_status));
	assert_int_equal(WEXITSTATUS(h.wait_status), 0);
}

static void buffers_are_filled_copied_written_and_read(void **state)
{
	(void)state;
	fill_copy_write_read_on(false);
	fill_copy_write_read_on(true);
}

static void arguments_are_checked_and_kept_between_launches(void **state)
{
	struct harness h;
	struct harness_launch l;

	(void)state;
	harness_start(&h, NULL);
	make_kernels(&h);
	int *a = (int *)(void *)h.memory;
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(harness_buffer(&h, i, i * 4096, 1024), 0);
	for (int i = 0; i < 256; i++)
		a[1024 + i] = a[2048 + i] = i;
	for (int bias = 0; bias < 4; bias++) {
		harness_launch_begin(&l, HARNESS_QUEUE, K_ADD, harness_slot(&h), 256, 64);
		for (uint32_t i = 1; i <= 3; i++)
			harness_launch_buffer(&l, i);
		int value = bias / 2;
		harness_launch_value(&l, &value, sizeof(value));
		assert_int_equal(launch_and_wait(&h, &l, 20000), 0);
		for (int i = 0; i < 256; i++)
			assert_int_equal(a[3072 + i], 2 * i + value);
	}
	/* The same id, another buffer: the old one's memory must not be touched. */
	assert_int_equal(harness_destroy(&h, WIRE_BUFFER_DESTROY, 3), 0);
	assert_int_equal(harness_buffer(&h, 3, 65536, 1024), 0);
	memset(a + 3072, 0, 1024);
	harness_launch_begin(&l, HARNESS_QUEUE, K_ADD, harness_slot(&h), 256, 64);
	for (uint32_t i = 1; i <= 3; i++)
		harness_launch_buffer(&l, i);
	int one = 1;
	harness_launch_value(&l, &one, sizeof(one));
	assert_int_equal(launch_and_wait(&h, &l, 20000), 0);
	assert_int_equal(a[3072 + 5], 0);
	assert_int_equal(a[16384 + 5], 11);
	/* A value where a buffer belongs could forge a pointer; a wrong count could leave one unset. */
	harness_launch_begin(&l, HARNESS_QUEUE, K_ADD, harness_slot(&h), 256, 64);
	for (uint32_t i = 1; i <= 3; i++)
		harness_launch_value(&l, &(uint64_t){0x41414141}, 8);
	harness_launch_value(&l, &one, sizeof(one));
	assert_int_equal(launch_and_wait(&h, &l, 20000), CL_INVALID_ARG_VALUE);
	harness_launch_begin(&l, HARNESS_QUEUE, K_ADD, harness_slot(&h), 256, 64);
	assert_int_equal(launch_and_wait(&h, &l, 20000), CL_INVALID_KERNEL_ARGS);
	/* Local memory. */
	for (int i = 0; i < 64; i++)
		a[1024 + i] = i;
	harness_launch_begin(&l, HARNESS_QUEUE, K_REVERSE, harness_slot(&h), 64, 64);
	harness_launch_buffer(&l, 1);
	harness_launch_local(&l, 64 * 4);
	assert_int_equal(launch_and_wait(&h, &l, 20000), 0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(a[1024 + i], 63 - i);
	/* What has no slot says so in the engine's page. */
	struct wire_destroy unknown = {.slot = WIRE_NO_SLOT, .id = 4242};
	uint64_t sequence = harness_put(&h, WIRE_BUFFER_DESTROY, &unknown, sizeof(unknown));
	assert_int_equal(harness_destroy(&h, WIRE_KERNEL_DESTROY, K_EMPTY), 0);
	assert_int_equal(h.engine_page->failed, sequence);
	assert_int_equal(h.engine_page->failed_status, CL_INVALID_MEM_OBJECT);
	harness_stop(&h);
}

static void an_idle_engine_sleeps_and_the_bell_wakes_it_on(const char *devices)
{
	const struct harness_options options = {.devices = devices};
	struct harness h;
	struct harness_launch l;

	harness_start(&h, &options);
	if (h.same_host && !(h.engine_page->features & WIRE_FEATURE_BELL))
		print_message("cannot test here: the bell by futex because this kernel has no futex_waitv\n");
	make_kernels(&h);
	for (unsigned i = 0; i < 300; i++) {
		if (i % 10 == 0)
			usleep(3000);
		if (i % 50 == 0) {
			for (int t = 0; t < 1000 && h.engine_page->engine_state != WIRE_ENGINE_SLEEPING; t++)
				usleep(1000);
			assert_int_equal(h.engine_page->engine_state, WIRE_ENGINE_SLEEPING);
			/* Asleep it holds no lease. */
			assert_int_equal(atomic_load(&h.status->state), LEASE_IDLE);
		}
		harness_launch_begin(&l, HARNESS_QUEUE, K_EMPTY, harness_slot(&h), 1, 1);
		assert_int_equal(launch_and_wait(&h, &l, 20000), 0);
	}
	harness_stop(&h);
}

static void an_idle_engine_sleeps_and_the_bell_wakes_it(void **state)
{
	(void)state;
	an_idle_engine_sleeps_and_the_bell_wakes_it_on("basic");
	an_idle_engine_sleeps_and_the_bell_wakes_it_on("pthread");
}

static void a_full_ring_wraps_many_times(void **state)
{
	const struct harness_options options = {.devices = "pthread"};
	struct harness h;
	struct harness_launch l;
	uint64_t sequence = 0;
	uint32_t slot = 0;

	(void)state;
	harness_start(&h, &options);
	make_kernels(&h);
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	const int rounds = 10;
	for (unsigned i = 0; i < 12000; i++) {
		slot = i % 100 == 99 ? harness_slot(&h) : WIRE_NO_SLOT;
		put_slow(&l, HARNESS_QUEUE, slot, rounds);
		sequence = harness_launch_put(&h, &l);
	}
	assert_int_equal(harness_wait(&h, slot, sequence, 60000), 0);
	assert_true(h.tail > 4 * WIRE_RING_BYTES);
	assert_int_equal(h.engine_page->queue_done[HARNESS_QUEUE], sequence);
	harness_stop(&h);
}

static void unmap_of_an_idle_blob_is_answered_at_once(void **state)
{
	const uint64_t other = WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 2);
	struct harness h;
	struct engine_message m;

	(void)state;
	harness_start(&h, NULL);
	/* Also one it never knew, also twice. */
	harness_tell(&h, ENGINE_UNMAP, WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 77), 4096, 0, 5);
	assert_true(harness_heard(&h, ENGINE_RELEASED, &m, 5000));
	assert_int_equal(m.offset, 4096);
	assert_int_equal(m.value, 5);
	harness_tell(&h, ENGINE_MAP, other, HARNESS_MEMORY_OFFSET, 1 << 20, 0);
	harness_tell(&h, ENGINE_MAP, other, HARNESS_MEMORY_OFFSET, 1 << 20, 0);
	harness_tell(&h, ENGINE_UNMAP, other, HARNESS_MEMORY_OFFSET, 1 << 20, 6);
	harness_tell(&h, ENGINE_UNMAP, other, HARNESS_MEMORY_OFFSET, 1 << 20, 7);
	for (int i = 0; i < 2; i++) {
		assert_true(harness_heard(&h, ENGINE_RELEASED, &m, 5000));
		assert_int_equal(m.blob_id, other);
		assert_int_equal(m.offset, HARNESS_MEMORY_OFFSET);
		assert_int_equal(m.value, 6 + i);
	}
	/* With a buffer in it: the buffer goes, the id with it. */
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	harness_tell(&h, ENGINE_UNMAP, HARNESS_MEMORY_BLOB, HARNESS_MEMORY_OFFSET, HARNESS_MEMORY_BYTES, 0);
	assert_true(harness_heard(&h, ENGINE_RELEASED, &m, 5000));
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), CL_INVALID_HOST_PTR);
	harness_tell(&h, ENGINE_MAP, HARNESS_MEMORY_BLOB, HARNESS_MEMORY_OFFSET, HARNESS_MEMORY_BYTES, 0);
	harness_tell(&h, ENGINE_RESYNC, 0, 0, 0, ENGINE_PROTOCOL_VERSION);
	assert_true(harness_heard(&h, ENGINE_READY, &m, 5000));
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	/* The guest's own release of a blob is a barrier. */
	struct wire_blob_release r = {.slot = harness_slot(&h), .blob_id = HARNESS_MEMORY_BLOB};
	uint64_t sequence = harness_put(&h, WIRE_BLOB_RELEASE, &r, sizeof(r));
	assert_int_equal(harness_wait(&h, r.slot, sequence, 5000), 0);
	assert_int_equal(harness_destroy(&h, WIRE_BUFFER_DESTROY, 1), CL_INVALID_MEM_OBJECT);
	harness_stop(&h);
}

static void unmap_waits_for_a_running_kernel_on(const char *devices)
{
	const struct harness_options options = {.devices = devices};
	struct harness h;
	struct harness_launch l;
	struct engine_message m;

	harness_start(&h, &options);
	make_kernels(&h);
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	int rounds = rounds_for_ms(&h, 400);
	uint32_t slot = harness_slot(&h);
	put_slow(&l, HARNESS_QUEUE, slot, rounds);
	uint64_t sequence = harness_launch_put(&h, &l);
	usleep(50000);
	assert_false(harness_is_done(&h, slot, sequence));
	harness_tell(&h, ENGINE_UNMAP, HARNESS_MEMORY_BLOB, HARNESS_MEMORY_OFFSET, HARNESS_MEMORY_BYTES, 8);
	assert_false(harness_heard(&h, ENGINE_RELEASED, &m, 100));
	assert_false(harness_is_done(&h, slot, sequence));
	assert_true(harness_heard(&h, ENGINE_RELEASED, &m, 20000));
	assert_int_equal(m.blob_id, HARNESS_MEMORY_BLOB);
	assert_int_equal(m.value, 8);
	assert_true(harness_is_done(&h, slot, sequence));
	/* The ring's own blob: the end of the context. */
	harness_tell(&h, ENGINE_UNMAP, HARNESS_RING_BLOB, 0, 0x100000, 0);
	assert_true(harness_heard(&h, ENGINE_RELEASED, &m, 5000));
	assert_int_equal(m.blob_id, HARNESS_RING_BLOB);
	harness_stop(&h);
}

static void unmap_waits_for_a_running_kernel(void **state)
{
	(void)state;
	unmap_waits_for_a_running_kernel_on("pthread");
	unmap_waits_for_a_running_kernel_on("basic");
}

static void a_revoked_lease_is_given_back_on(const char *devices)
{
	const struct harness_options options = {.devices = devices, .no_lease = true};
	struct harness h;
	struct harness_launch l;
	uint64_t sequence = 0, count;
	uint32_t slot = 0;

	harness_start(&h, &options);
	make_kernels(&h);		/* builds without a lease */
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	assert_int_equal(read(h.want, &count, sizeof(count)), -1);
	slot = harness_slot(&h);
	put_slow(&l, HARNESS_QUEUE, slot, 1000);
	sequence = harness_launch_put(&h, &l);
	usleep(100000);
	assert_false(harness_is_done(&h, slot, sequence));
	assert_int_equal(atomic_load(&h.status->state), LEASE_WANT);
	assert_int_equal(read(h.want, &count, sizeof(count)), sizeof(count));
	harness_grant(&h, LEASE_GRANTED, 0);
	assert_int_equal(harness_wait(&h, slot, sequence, 20000), 0);
	int rounds = rounds_for_ms(&h, 2);
	for (unsigned i = 0; i < 300; i++) {	/* 600 ms of work */
		slot = i == 299 ? harness_slot(&h) : WIRE_NO_SLOT;
		put_slow(&l, HARNESS_QUEUE, slot, rounds);
		sequence = harness_launch_put(&h, &l);
	}
	for (int i = 0; i < 1000 && atomic_load(&h.status->state) != LEASE_RUN; i++)
		usleep(1000);
	usleep(20000);
	assert_int_equal(atomic_load(&h.status->state), LEASE_RUN);
	uint64_t word = atomic_load(&h.grant->word);
	atomic_store(&h.grant->word, word | LEASE_CONTENDED | LEASE_REVOKE);
	uint64_t start_ns = harness_now_ns();
	while (atomic_load(&h.status->state) == LEASE_RUN && harness_now_ns() - start_ns < 5000000000u)
		usleep(100);
	uint64_t took_ms = (harness_now_ns() - start_ns) / 1000000;
	assert_int_equal(atomic_load(&h.status->state), LEASE_WANT);
	assert_false(harness_is_done(&h, slot, sequence));
	if (took_ms > 250)	/* a few kernels of 2 ms; the rest is room for a loaded machine */
		fail_msg("the lease came back only after %llu ms", (unsigned long long)took_ms);
	uint64_t kernels = atomic_load(&h.status->kernels);
	usleep(50000);
	assert_int_equal(atomic_load(&h.status->kernels), kernels);
	harness_grant(&h, LEASE_GRANTED, 0);
	assert_int_equal(harness_wait(&h, slot, sequence, 20000), 0);
	for (int i = 0; i < 1000 && atomic_load(&h.status->state) != LEASE_IDLE; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&h.status->state), LEASE_IDLE);
	harness_stop(&h);
}

static void a_revoked_lease_is_given_back(void **state)
{
	(void)state;
	a_revoked_lease_is_given_back_on("pthread");
	a_revoked_lease_is_given_back_on("basic");
}

static void a_wild_kernel_kills_its_engine_only(void **state)
{
	struct harness h;
	struct harness_launch l;
	const uint64_t at = 8;

	(void)state;
	harness_start(&h, NULL);
	make_kernels(&h);
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	harness_launch_begin(&l, HARNESS_QUEUE, K_WILD, harness_slot(&h), 1, 1);
	harness_launch_buffer(&l, 1);
	harness_launch_value(&l, &at, sizeof(at));
	harness_launch_put(&h, &l);
	int status = harness_died(&h, 20000);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	harness_stop(&h);
}

static void an_endless_kernel_does_not_outlive_the_channel(void **state)
{
	static const char *const devices[] = {"pthread", "basic"};
	struct harness h;
	struct harness_launch l;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		harness_start(&h, &(struct harness_options){.devices = devices[i]});
		make_kernels(&h);
		memset(h.memory, 0, 4096);
		assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
		harness_launch_begin(&l, HARNESS_QUEUE, K_ENDLESS, harness_slot(&h), 1, 1);
		harness_launch_buffer(&l, 1);
		harness_launch_put(&h, &l);
		volatile int *counter = (volatile int *)(void *)(h.memory + 4);
		for (int t = 0; t < 5000 && !*counter; t++)
			usleep(1000);
		assert_int_not_equal(*counter, 0);
		harness_stop(&h);	/* fails if the engine is not gone in time */
	}
}

static void garbage_in_the_ring_is_a_fault(void **state)
{
	static const struct wire_header bad[] = {
		{.opcode = WIRE_MARKER, .bytes = 0, .sequence = 2},
		{.opcode = WIRE_MARKER, .bytes = 0xfffffff8, .sequence = 2},
		{.opcode = WIRE_MARKER, .bytes = 36, .sequence = 2},
		{.opcode = WIRE_MARKER, .bytes = 64, .sequence = 2},	/* longer than what is there */
		{.opcode = WIRE_MARKER, .bytes = 32, .sequence = 9},
		{.opcode = 0xa5a5, .flags = 0xa5a5, .bytes = 0xa5a5a5a5, .sequence = 0xa5a5a5a5a5a5a5a5},
	};
	struct harness h;
	struct engine_message m;

	(void)state;
	for (unsigned i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		harness_start(&h, &(struct harness_options){.devices = "basic"});
		if (i < sizeof(bad) / sizeof(bad[0])) {
			memcpy(h.records + h.tail, &bad[i], sizeof(bad[i]));
			__atomic_store_n(&h.shim_page->tail, h.tail + 32, __ATOMIC_SEQ_CST);
		} else {
			__atomic_store_n(&h.shim_page->tail, h.tail + WIRE_RING_BYTES + 8, __ATOMIC_SEQ_CST);
		}
		harness_ring_bell(&h);
		assert_true(harness_heard(&h, ENGINE_FAULT, &m, 5000));
		assert_int_equal(m.value, WIRE_LOST_PROTOCOL);
		int status = harness_died(&h, 5000);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
		harness_stop(&h);
	}
}

/* Random bytes in every field of valid-looking records: refused or run, never a wrong exit. */
static void random_records_are_refused_one_by_one(void **state)
{
	struct harness h;
	_Alignas(8) uint8_t record[256];
	unsigned seed = 20240229;

	(void)state;
	harness_start(&h, &(struct harness_options){.devices = "basic"});
	for (unsigned i = 0; i < 5000; i++) {
		static const uint16_t later[] = {WIRE_PROGRAM_COMPILE, WIRE_PROGRAM_LINK, WIRE_KERNEL_SUB_GROUPS, WIRE_OPCODE_COUNT + 1};
		uint16_t opcode = (uint16_t)(1 + rand_r(&seed) % 20);
		if (opcode > 16)
			opcode = later[opcode - 17];
		for (unsigned b = 0; b < sizeof(record); b++)
			record[b] = rand_r(&seed) % 4 ? 0 : (uint8_t)rand_r(&seed);
		struct wire_queued *q = (struct wire_queued *)(void *)record;
		q->slot = WIRE_NO_SLOT;
		harness_put(&h, opcode, record, 32 + 8 * (unsigned)(rand_r(&seed) % 20));
	}
	struct wire_queued marker = {.slot = harness_slot(&h), .queue = HARNESS_QUEUE};
	uint64_t sequence = harness_put(&h, WIRE_MARKER, &marker, sizeof(marker));
	int32_t status = harness_wait(&h, marker.slot, sequence, 20000);
	assert_true(status == 0 || status == CL_INVALID_COMMAND_QUEUE);	/* a random record may have destroyed it */
	harness_stop(&h);
	assert_true(WIFEXITED(h.wait_status) && WEXITSTATUS(h.wait_status) == 0);
}

static void the_engine_has_nothing_of_its_starter(void **state)
{
	struct harness h;
	char path[64], environment[4096] = "", line[256];
	unsigned found = 0;

	(void)state;
	harness_start(&h, NULL);
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)h.pid);
	FILE *file = fopen(path, "r");
	if (file) {	/* as an ordinary user a process that is not dumpable hides it from us, too */
		size_t bytes = fread(environment, 1, sizeof(environment), file);
		fclose(file);
		assert_null(memmem(environment, bytes, "SECRET_OF_THE_STARTER", 21));
		assert_null(memmem(environment, bytes, "HOME=", 5));
		if (bytes)
			assert_non_null(memmem(environment, bytes, "OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd", 44));
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)h.pid);
	ssize_t linked = readlink(path, line, sizeof(line) - 1);
	if (linked > 0) {	/* as for environ */
		line[linked] = 0;
		assert_string_equal(line, "/dev/null");	/* a kernel's printf fills no log */
	}
	snprintf(path, sizeof(path), "/proc/%d/status", (int)h.pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		found += !strcmp(line, "NoNewPrivs:\t1\n");
		found += !strcmp(line, "CapEff:\t0000000000000000\n");
		found += !strcmp(line, "CapPrm:\t0000000000000000\n");
	}
	fclose(file);
	assert_int_equal(found, 3);
	harness_stop(&h);
}

#ifdef __x86_64__
static const char thief_text[] =
	"kernel void map(global long *a)\n"
	"{ long r;\n"
	"  __asm__ volatile(\"movq 16(%5), %%r10; movq 24(%5), %%r8; movq (%5), %%r9; syscall\" : \"=a\"(r)\n"
	"                   : \"a\"(9l), \"D\"(0l), \"S\"(a[1]), \"d\"(3l), \"b\"(a)\n"
	"                   : \"rcx\", \"r8\", \"r9\", \"r10\", \"r11\", \"memory\");\n"
	"  a[4] = r; }\n";

/* The number under which the engine holds the aperture. */
static long aperture_number(const struct harness *h)
{
	char path[64], target[128];

	for (long fd = 3; fd <= 65536; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%ld", (int)h->pid, fd);
		ssize_t length = readlink(path, target, sizeof(target) - 1);
		if (length > 0 && (target[length] = 0, strstr(target, "memfd:aperture")))
			return fd;
	}
	fail_msg("the engine does not hold the aperture");
	return -1;
}

/* What a guest runs is native code in the engine, system calls and all. */
static void a_guests_kernel_maps_nothing_but_its_blobs(void **state)
{
	struct harness h;
	struct harness_launch l;
	const long shared = 1, private = 2, eperm = -1;

	(void)state;
	harness_start(&h, NULL);
	assert_true(h.listener >= 0);
	assert_int_equal(harness_build(&h, PROGRAM, thief_text, NULL, NULL), 0);
	assert_int_equal(harness_kernel(&h, 1, PROGRAM, "map"), 0);
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	long fd = aperture_number(&h);
	const struct {
		long offset, bytes, flags;
		bool right;
	} tries[] = {
		{HARNESS_MEMORY_OFFSET, HARNESS_MEMORY_BYTES, shared, true},
		{HARNESS_MEMORY_OFFSET, HARNESS_MEMORY_BYTES, private, false},
		{0x100000, 0x100000, shared, false},	/* between its blobs: another context's may lie there */
		{0, HARNESS_MEMORY_OFFSET + HARNESS_MEMORY_BYTES, shared, false},
	};
	for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		long *a = (long *)(void *)h.memory;
		a[0] = tries[i].offset;
		a[1] = tries[i].bytes;
		a[2] = tries[i].flags;
		a[3] = fd;
		a[4] = 0;
		harness_launch_begin(&l, HARNESS_QUEUE, 1, harness_slot(&h), 1, 1);
		harness_launch_buffer(&l, 1);
		assert_int_equal(launch_and_wait(&h, &l, 20000), 0);
		if (tries[i].right)
			assert_true(a[4] > 0);
		else
			assert_int_equal(a[4], eperm);
	}
	assert_int_equal(h.refused_maps, 3);
	harness_stop(&h);
}
#endif

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--bench")) {
		bench_engine();
		return 0;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vector_add_is_seen_in_the_aperture),
		cmocka_unit_test(a_failed_build_answers_with_its_log),
		cmocka_unit_test(a_build_reply_describes_kernels_and_arguments),
		cmocka_unit_test(completions_come_in_order_with_times),
		cmocka_unit_test(a_record_waits_for_one_of_another_queue),
		cmocka_unit_test(what_was_waited_for_is_seen_first),
		cmocka_unit_test(every_queue_is_counted),
		cmocka_unit_test(a_nop_may_be_longer_than_any_record),
		cmocka_unit_test(buffers_are_filled_copied_written_and_read),
		cmocka_unit_test(arguments_are_checked_and_kept_between_launches),
		cmocka_unit_test(an_idle_engine_sleeps_and_the_bell_wakes_it),
		cmocka_unit_test(a_full_ring_wraps_many_times),
		cmocka_unit_test(unmap_of_an_idle_blob_is_answered_at_once),
		cmocka_unit_test(unmap_waits_for_a_running_kernel),
		cmocka_unit_test(a_revoked_lease_is_given_back),
		cmocka_unit_test(a_wild_kernel_kills_its_engine_only),
		cmocka_unit_test(an_endless_kernel_does_not_outlive_the_channel),
		cmocka_unit_test(garbage_in_the_ring_is_a_fault),
		cmocka_unit_test(random_records_are_refused_one_by_one),
		cmocka_unit_test(the_engine_has_nothing_of_its_starter),
#ifdef __x86_64__	/* its assembler */
		cmocka_unit_test(a_guests_kernel_maps_nothing_but_its_blobs),
#endif
	};

	/* For a look at single tests: --only PATTERN (* and ?). */
	if (argc == 3 && !strcmp(argv[1], "--only"))
		cmocka_set_test_filter(argv[2]);
	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
