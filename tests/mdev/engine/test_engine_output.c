/* SPDX-License-Identifier: MIT */
/* What kernels print is kept by the engine and fetched: a real vgpu-compute on PoCL. And which programs may print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl.h>
#include <cmocka.h>

#include "mdev/engine/compute/output.h"
#include "tests/mdev/engine/engine_harness.h"

static const char program_text[] =
	"kernel void say(int value) { printf(\"value %d\\n\", value); }\n"
	"kernel void much(int lines) { for (int i = 0; i < lines; i++) printf(\"%061d\\n\", i); }\n";

#define ROOM_OFFSET 0x100000u
#define ROOM_BYTES 0x10000u

static void launch(struct harness *h, uint32_t kernel, int value)
{
	struct harness_launch l;
	uint32_t slot = harness_slot(h);

	harness_launch_begin(&l, HARNESS_QUEUE, kernel, slot, 1, 1);
	harness_launch_value(&l, &value, sizeof(value));
	assert_int_equal(harness_wait(h, slot, harness_launch_put(h, &l), 20000), 0);
}

/* One answer: its text, valid until the next. */
static const struct wire_output *fetch(struct harness *h)
{
	struct wire_output_read r = {
		.slot = harness_slot(h), .range = {HARNESS_MEMORY_BLOB, ROOM_OFFSET, ROOM_BYTES}};

	memset(h->memory + ROOM_OFFSET, 0xee, ROOM_BYTES);
	assert_int_equal(harness_wait(h, r.slot, harness_put(h, WIRE_OUTPUT_READ, &r, sizeof(r)), 5000), 0);
	const struct wire_output *head = (const void *)(h->memory + ROOM_OFFSET);
	assert_int_equal(h->slots[r.slot].value, head->text_bytes);
	return head;
}

static void start(struct harness *h, const struct harness_options *options)
{
	const struct wire_build_reply *reply;

	harness_start(h, options);
	assert_int_equal(harness_build(h, 1, program_text, NULL, &reply), 0);
	assert_int_equal(reply->build_status, CL_BUILD_SUCCESS);
	assert_int_equal(harness_kernel(h, 1, 1, "say"), 0);
	assert_int_equal(harness_kernel(h, 2, 1, "much"), 0);
}

static void text_is_there_when_the_command_is_complete_on(const struct harness_options *options)
{
	struct harness h;
	char expected[32];

	start(&h, options);
	uint64_t before = h.engine_page->output_bytes;
	for (int i = 0; i < 20; i++) {
		launch(&h, 1, i);
		int bytes = snprintf(expected, sizeof(expected), "value %d\n", i);
		assert_int_equal(h.engine_page->output_bytes - before, bytes);
		before = h.engine_page->output_bytes;
		const struct wire_output *got = fetch(&h);
		assert_int_equal(got->text_bytes, bytes);
		assert_int_equal(got->left_bytes, 0);
		assert_int_equal(got->lost_bytes, 0);
		assert_memory_equal(got + 1, expected, (size_t)bytes);
	}
	assert_int_equal(fetch(&h)->text_bytes, 0);
	harness_stop(&h);
}

static void text_is_there_when_the_command_is_complete(void **state)
{
	(void)state;
	text_is_there_when_the_command_is_complete_on(&(struct harness_options){.devices = "pthread"});
	text_is_there_when_the_command_is_complete_on(&(struct harness_options){.devices = "basic"});
	text_is_there_when_the_command_is_complete_on(&(struct harness_options){.devices = "pthread", .strategy = "native"});
	text_is_there_when_the_command_is_complete_on(&(struct harness_options){.devices = "pthread", .strategy = "waiter"});
}

/* More than a pipe holds and less than is kept: all of it, in pieces. More than that: a gap, said once. */
static void much_text_is_kept_and_too_much_is_counted(void **state)
{
	const int lines = 100000, line_bytes = 62;
	uint64_t taken = 0, lost = 0, left;
	struct harness h;
	char expected[80];

	(void)state;
	start(&h, NULL);
	launch(&h, 2, lines);
	do {
		const struct wire_output *got = fetch(&h);
		const char *text = (const char *)(got + 1);

		assert_true(got->text_bytes > 0);
		for (uint64_t i = 0; i < got->text_bytes; i++, taken++) {
			if (taken % (uint64_t)line_bytes == 0)
				snprintf(expected, sizeof(expected), "%061d\n", (int)(taken / (uint64_t)line_bytes));
			if (text[i] != expected[taken % (uint64_t)line_bytes])
				fail_msg("byte %llu is wrong", (unsigned long long)taken);
		}
		left = got->left_bytes;
		lost += got->lost_bytes;
	} while (left);
	assert_int_equal(taken, lines * line_bytes);
	assert_int_equal(lost, 0);

	for (int i = 0; i < 4; i++)
		launch(&h, 2, lines);
	uint64_t printed = 4ull * (uint64_t)lines * (uint64_t)line_bytes;
	taken = 0;
	do {
		const struct wire_output *got = fetch(&h);

		taken += got->text_bytes;
		left = got->left_bytes;
		lost += got->lost_bytes;
	} while (left);
	assert_true(taken <= WIRE_OUTPUT_KEPT_BYTES);
	assert_true(taken > WIRE_OUTPUT_KEPT_BYTES / 2);
	assert_int_equal(taken + lost, printed);
	launch(&h, 1, 5);
	assert_memory_equal(fetch(&h) + 1, "value 5\n", 8);
	harness_stop(&h);
}

static void who_prints_nothing_has_no_pipe(void **state)
{
	struct harness h;
	const struct wire_build_reply *reply;

	(void)state;
	harness_start(&h, NULL);
	assert_int_equal(harness_build(&h, 1, "kernel void f(global int *a) { a[0] = 1; }", NULL, &reply), 0);
	assert_int_equal(fetch(&h)->text_bytes, 0);
	assert_int_equal(h.engine_page->output_bytes, 0);
	harness_stop(&h);
}

static void a_program_that_may_print_is_known_by_its_text(void **state)
{
	static const struct {
		const char *source, *options;
		bool may;
	} rows[] = {
		{"kernel void f(global int *a) { a[0] = 1; }", "-DX=1", false},
		{"kernel void f(void) { printf(\"x\"); }", "", true},
		{"kernel void f(void) { prin\\\ntf(\"x\"); }", "", true},
		{"#define P(a, b) a##b\nkernel void f(void) { P(pri, ntf)(\"x\"); }", "", true},
		{"kernel void f(void) { P(\"x\"); }", "-DP=printf", true},
		{"/* printf */ kernel void f(void) { }", "", false},
		{"kernel void f(void) { \?\?= }", "", true},	/* not understood */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (output_may_print(rows[i].source, strlen(rows[i].source), rows[i].options, strlen(rows[i].options)) != rows[i].may)
			fail_msg("row %u", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_that_may_print_is_known_by_its_text),
		cmocka_unit_test(text_is_there_when_the_command_is_complete),
		cmocka_unit_test(much_text_is_kept_and_too_much_is_counted),
		cmocka_unit_test(who_prints_nothing_has_no_pipe),
	};

	return cmocka_run_group_tests_name("engine_output", tests, NULL, NULL);
}
