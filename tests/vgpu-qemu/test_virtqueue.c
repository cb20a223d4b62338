/* SPDX-License-Identifier: MIT */
/* Virtqueue: chains, loops, indirect tables, deferral, and a fresh process at every state of the record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vgpu-qemu/dma.h"
#include "vgpu-qemu/virtqueue_run.h"

#define BASE 0x10000ull
#define DESCRIPTORS BASE
#define AVAILABLE (BASE + 0x2000)
#define USED (BASE + 0x3000)
#define DATA (BASE + 0x4000)
#define SIZE 8u

enum {
	NEXT = 1,
	WRITE = 2,
	INDIRECT = 4,
};

struct descriptor {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags, next;
};

static struct fixture {
	struct dma_slot table[DMA_SLOT_MAX];
	struct guest_memory *memory;
	struct virtqueue_state state;
	struct virtqueue *queue;
	uint8_t *ram;
	int fd;
	unsigned interrupts, handled;
	const char *broken;
	struct virtqueue_element last;
	bool last_attempt;
	enum virtqueue_verdict verdict;
} f;

static enum virtqueue_verdict handler(void *data, const struct virtqueue_element *element, bool last_attempt,
				      uint32_t *ret_written)
{
	(void)data;
	f.handled++;
	f.last = *element;
	f.last_attempt = last_attempt;
	*ret_written = 7;
	return f.verdict;
}

static void on_interrupt(void *data, struct virtqueue *queue)
{
	(void)data;
	(void)queue;
	f.interrupts++;
}

static void on_broken(void *data, struct virtqueue *queue, const char *reason)
{
	(void)data;
	(void)queue;
	f.broken = reason;
}

static void fresh_process(void)
{
	struct virtqueue_wiring wiring = {&f.state, f.memory, handler, on_interrupt, on_broken, NULL, "queue"};

	virtqueue_destroy(f.queue);
	assert_int_equal(virtqueue_create(&wiring, &f.queue), 0);
	f.interrupts = f.handled = 0;
}

static int set_up(void **state)
{
	const char *reason = NULL;

	(void)state;
	memset(&f, 0, sizeof(f));
	f.fd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(f.fd, 0x10000), 0);
	f.ram = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	assert_int_equal(guest_memory_create(f.table, NULL, &f.memory), 0);
	assert_int_equal(guest_memory_map(f.memory, (struct guest_range){BASE, 0x10000}, 0, 3, f.fd), 0);
	fresh_process();
	f.state.size = SIZE;
	f.state.descriptor_address = DESCRIPTORS;
	f.state.driver_address = AVAILABLE;
	f.state.device_address = USED;
	assert_int_equal(virtqueue_enable(f.queue, &reason), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guest_memory_unmap_all(f.memory);
	guest_memory_destroy(f.memory);
	virtqueue_destroy(f.queue);
	munmap(f.ram, 0x10000);
	close(f.fd);
	return 0;
}

static struct descriptor *table(uint64_t address)
{
	return (struct descriptor *)(f.ram + (address - BASE));
}

static uint16_t *words(uint64_t address)
{
	return (uint16_t *)(f.ram + (address - BASE));
}

static void make_available(uint16_t head)
{
	uint16_t *a = words(AVAILABLE);

	a[2 + a[1] % SIZE] = head;
	a[1]++;
}

static void simple(uint16_t head)
{
	table(DESCRIPTORS)[head] = (struct descriptor){DATA, 16, NEXT, (uint16_t)(head + 1)};
	table(DESCRIPTORS)[head + 1] = (struct descriptor){DATA + 64, 32, WRITE, 0};
	make_available(head);
}

static uint32_t used_head(unsigned index)
{
	uint32_t value;

	memcpy(&value, f.ram + (USED - BASE) + 4 + 8 * (index % SIZE), 4);
	return value;
}

static void chain_is_parsed_and_completed(void **state)
{
	(void)state;
	simple(2);
	assert_false(virtqueue_run(f.queue, 64));
	assert_int_equal(f.handled, 1);
	assert_int_equal(f.last.readable_count, 1);
	assert_int_equal(f.last.writable_count, 1);
	assert_int_equal(f.last.writable_bytes, 32);
	assert_int_equal(f.last.serial, 1);
	assert_int_equal(words(USED)[1], 1);
	assert_int_equal(used_head(0), 2);
	assert_int_equal(f.interrupts, 1);
	words(AVAILABLE)[0] = 1; /* NO_INTERRUPT */
	simple(4);
	virtqueue_run(f.queue, 64);
	assert_int_equal(words(USED)[1], 2);
	assert_int_equal(f.interrupts, 1);
}

static void indices_wrap(void **state)
{
	(void)state;
	f.state.last_available = f.state.used_index = 0xfffe;
	words(AVAILABLE)[1] = words(USED)[1] = 0xfffe;
	for (unsigned i = 0; i < 5; i++) {
		simple((uint16_t)(i % 3 * 2));
		virtqueue_run(f.queue, 64);
	}
	assert_int_equal(f.handled, 5);
	assert_int_equal(words(USED)[1], 3);
	assert_null(f.broken);
}

static void indirect_table_replaces_the_chain(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		table(DATA + 0x1000)[i] = (struct descriptor){DATA + i * 16, 16, i < 39 ? NEXT : WRITE, (uint16_t)(i + 1)};
	table(DESCRIPTORS)[0] = (struct descriptor){DATA + 0x1000, 40 * 16, INDIRECT, 0};
	make_available(0);
	virtqueue_run(f.queue, 64);
	assert_null(f.broken);
	assert_int_equal(f.last.readable_count, 39);
	assert_int_equal(f.last.writable_count, 1);
}

/* Each breaks the queue, is never handled, and leaves this process standing. */
static void bad_chains_break_the_queue(void **state)
{
	static const struct {
		const char *name;
		struct descriptor d[3];
		struct descriptor indirect[2];
	} bad[] = {
		{"loop onto itself", {{DATA, 16, NEXT, 0}}, {{0}}},
		{"loop of two", {{DATA, 16, NEXT, 1}, {DATA, 16, NEXT, 0}}, {{0}}},
		{"next out of range", {{DATA, 16, NEXT, SIZE}}, {{0}}},
		{"readable after writable", {{DATA, 16, NEXT | WRITE, 1}, {DATA, 16, 0, 0}}, {{0}}},
		{"wrapping range", {{UINT64_MAX - 3, 16, 0, 0}}, {{0}}},
		{"indirect with next", {{DATA + 0x1000, 16, INDIRECT | NEXT, 1}}, {{0}}},
		{"indirect of odd size", {{DATA + 0x1000, 17, INDIRECT, 0}}, {{0}}},
		{"indirect of no size", {{DATA + 0x1000, 0, INDIRECT, 0}}, {{0}}},
		{"indirect outside memory", {{0xdead0000, 16, INDIRECT, 0}}, {{0}}},
		{"indirect in indirect", {{DATA + 0x1000, 32, INDIRECT, 0}}, {{DATA + 0x1000, 16, INDIRECT, 0}}},
		{"loop in indirect", {{DATA + 0x1000, 32, INDIRECT, 0}}, {{DATA, 4, NEXT, 1}, {DATA, 4, NEXT, 0}}},
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (i) {
			tear_down(state);
			set_up(state);
		}
		memcpy(table(DESCRIPTORS), bad[i].d, sizeof(bad[i].d));
		memcpy(table(DATA + 0x1000), bad[i].indirect, sizeof(bad[i].indirect));
		make_available(0);
		virtqueue_run(f.queue, 1);
		if (!f.broken || f.handled)
			fail_msg("'%s' was let through", bad[i].name);
	}
}

static void longest_chain_is_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 600; i++)
		table(DATA + 0x1000)[i] = (struct descriptor){DATA, 4, i < 599 ? NEXT : 0, (uint16_t)(i + 1)};
	table(DESCRIPTORS)[0] = (struct descriptor){DATA + 0x1000, 600 * 16, INDIRECT, 0};
	make_available(0);
	virtqueue_run(f.queue, 1);
	assert_non_null(f.broken);
	assert_int_equal(f.handled, 0);
}

static void bad_indices_break_the_queue(void **state)
{
	(void)state;
	words(AVAILABLE)[1] = SIZE + 1;
	virtqueue_run(f.queue, 64);
	assert_non_null(f.broken);
	tear_down(state);
	set_up(state);
	make_available(SIZE);
	virtqueue_run(f.queue, 64);
	assert_non_null(f.broken);
	assert_int_equal(f.handled, 0);
}

static void head_twice_breaks_the_queue(void **state)
{
	(void)state;
	f.verdict = VIRTQUEUE_DEFER;
	simple(0);
	virtqueue_run(f.queue, 64);
	assert_null(f.broken);
	make_available(0);
	virtqueue_run(f.queue, 64);
	assert_non_null(f.broken);
	assert_int_equal(f.handled, 1);
}

static void deferred_element_is_completed_once(void **state)
{
	(void)state;
	f.verdict = VIRTQUEUE_DEFER;
	simple(0);
	simple(2);
	virtqueue_run(f.queue, 64);
	assert_int_equal(words(USED)[1], 0);
	virtqueue_complete(f.queue, 2, 5);
	virtqueue_complete(f.queue, 2, 5);
	assert_int_equal(words(USED)[1], 1);
	assert_int_equal(used_head(0), 2);
	fresh_process();
	virtqueue_recover(f.queue);
	assert_int_equal(f.handled, 0);
	virtqueue_complete(f.queue, 0, 5);
	assert_int_equal(words(USED)[1], 2);
	virtqueue_reset(f.queue);
	virtqueue_complete(f.queue, 0, 5);
	assert_int_equal(words(USED)[1], 2);
}

/* The record as a process may leave it at each of its stores; the next one ends up at the same place. */
static void every_state_of_the_record_is_finished(void **state)
{
	for (unsigned step = 0; step < 7; step++) {
		if (step) {
			tear_down(state);
			set_up(state);
		}
		unsigned expect_handled = 1;
		simple(2);
		if (step >= 1) {
			f.state.taken = (struct virtqueue_taken){VIRTQUEUE_RECORD_TAKEN, 0, 1, 2, 1, 0};
		}
		if (step >= 2)
			f.state.outstanding[0] = 1u << 2;
		if (step >= 3) {
			f.state.last_available = 1;
			f.state.serial = 1;
			f.state.taken.attempts = 1;
		}
		if (step >= 4) {	/* handled, completion noted */
			f.state.done = (struct virtqueue_done){VIRTQUEUE_RECORD_DONE, 7, 2, 0, 0};
			expect_handled = 0;
		}
		if (step >= 5) {	/* published, not yet counted */
			f.state.outstanding[0] = 0;
			words(USED)[2] = 2;
			words(USED)[1] = 1;
		}
		if (step >= 6) {	/* counted; the taken record still stands */
			f.state.used_index = 1;
			f.state.done.state = VIRTQUEUE_RECORD_FREE;
		}
		fresh_process();
		virtqueue_recover(f.queue);
		virtqueue_run(f.queue, 64);
		assert_null(f.broken);
		assert_int_equal(f.handled, expect_handled);
		if (expect_handled) {
			assert_int_equal(f.last.serial, 1);
			assert_int_equal(f.last.attempt, step == 3 ? 2 : 1);
		}
		assert_int_equal(words(USED)[1], 1);
		assert_int_equal(used_head(0), 2);
		assert_int_equal(f.state.used_index, 1);
		assert_int_equal(f.state.last_available, 1);
		assert_int_equal(f.state.taken.state, VIRTQUEUE_RECORD_FREE);
		assert_int_equal(f.state.outstanding[0], 0);
	}
}

static void third_attempt_is_the_last(void **state)
{
	(void)state;
	simple(0);
	f.state.taken = (struct virtqueue_taken){VIRTQUEUE_RECORD_TAKEN, 2, 1, 0, 1, 0};
	f.state.outstanding[0] = 1;
	f.state.last_available = 1;
	f.state.serial = 1;
	fresh_process();
	virtqueue_recover(f.queue);
	assert_true(f.last_attempt);
	assert_int_equal(words(USED)[1], 1);
}

static void set_up_is_checked(void **state)
{
	const char *reason = NULL;

	(void)state;
	virtqueue_reset(f.queue);
	f.state.size = SIZE;
	f.state.descriptor_address = DESCRIPTORS + 8;
	f.state.driver_address = AVAILABLE;
	f.state.device_address = USED;
	assert_true(virtqueue_enable(f.queue, &reason) < 0);
	f.state.descriptor_address = 0xdead0000;
	assert_true(virtqueue_enable(f.queue, &reason) < 0);
	f.state.descriptor_address = BASE + 0x10000 - 16;
	assert_true(virtqueue_enable(f.queue, &reason) < 0);
	f.state.descriptor_address = UINT64_MAX - 15;
	assert_true(virtqueue_enable(f.queue, &reason) < 0);
	assert_int_equal(f.state.enabled, 0);
	assert_non_null(reason);
}

static void memory_taken_away_breaks_the_queue(void **state)
{
	(void)state;
	simple(0);
	guest_memory_unmap_all(f.memory);
	virtqueue_run(f.queue, 64);
	assert_non_null(f.broken);
	assert_int_equal(f.handled, 0);
}

static void untouched_ring_looks_stale(void **state)
{
	(void)state;
	assert_true(virtqueue_looks_stale(f.queue));
	simple(0);
	assert_false(virtqueue_looks_stale(f.queue));
}

static void element_bytes_are_bounded(void **state)
{
	uint8_t buffer[64] = {0};

	(void)state;
	simple(0);
	f.ram[DATA - BASE] = 0x5a;
	virtqueue_run(f.queue, 64);
	assert_int_equal(virtqueue_element_read(f.memory, &f.last, 0, buffer, 64), 16);
	assert_int_equal(buffer[0], 0x5a);
	assert_int_equal(virtqueue_element_read(f.memory, &f.last, 12, buffer, 64), 4);
	assert_int_equal(virtqueue_element_read(f.memory, &f.last, UINT64_MAX, buffer, 64), 0);
	assert_int_equal(virtqueue_element_write(f.memory, &f.last, 30, buffer, 64), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(chain_is_parsed_and_completed),
		TEST(indices_wrap),
		TEST(indirect_table_replaces_the_chain),
		TEST(bad_chains_break_the_queue),
		TEST(longest_chain_is_bounded),
		TEST(bad_indices_break_the_queue),
		TEST(head_twice_breaks_the_queue),
		TEST(deferred_element_is_completed_once),
		TEST(every_state_of_the_record_is_finished),
		TEST(third_attempt_is_the_last),
		TEST(set_up_is_checked),
		TEST(memory_taken_away_breaks_the_queue),
		TEST(untouched_ring_looks_stale),
		TEST(element_bytes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
