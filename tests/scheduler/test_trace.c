/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scheduler/trace.h"

static void add(struct trace *trace, uint64_t value)
{
	trace_add(trace, &(struct trace_event){.kind = TRACE_KERNEL, .value = value});
}

static void events_are_read_in_order_and_once(void **state)
{
	struct trace_event memory[8], events[8];
	struct trace trace;
	uint64_t next = 0, lost;

	(void)state;
	trace_init(&trace, memory, 8);
	assert_int_equal(trace_read(&trace, &next, events, 8, &lost), 0);
	for (uint64_t i = 0; i < 5; i++)
		add(&trace, i);
	assert_int_equal(trace_read(&trace, &next, events, 3, &lost), 3);
	assert_int_equal(events[2].value, 2);
	assert_int_equal(trace_read(&trace, &next, events, 8, &lost), 2);
	assert_int_equal(events[1].value, 4);
	assert_int_equal(lost, 0);
	assert_int_equal(trace_read(&trace, &next, events, 8, &lost), 0);
}

static void a_slow_reader_knows_what_it_lost(void **state)
{
	struct trace_event memory[8], events[8];
	struct trace trace;
	uint64_t next = 2, lost;

	(void)state;
	trace_init(&trace, memory, 8);
	for (uint64_t i = 0; i < 100; i++)
		add(&trace, i);
	assert_int_equal(trace_read(&trace, &next, events, 8, &lost), 8);
	assert_int_equal(lost, 90);
	assert_int_equal(events[0].value, 92);
	assert_int_equal(events[7].value, 99);
	next = 1000;	/* of a ring that was there before */
	assert_int_equal(trace_read(&trace, &next, events, 1, &lost), 1);
	assert_int_equal(events[0].value, 92);
	assert_int_equal(lost, 92);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_read_in_order_and_once),
		cmocka_unit_test(a_slow_reader_knows_what_it_lost),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
