/* SPDX-License-Identifier: MIT */
/* The trace of a run queue, and the pages that the API gives of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "mdev/lease_trace.h"

/* The page's JSON, as the API answers it. */
static json_t *page_of(const struct lease_trace *trace, uint64_t after, size_t most)
{
	struct lease_trace_page *page = lease_trace_page_create(most);

	assert_non_null(page);
	assert_int_equal(lease_trace_read(trace, after, most, page), 0);
	page->queue = run_queue_defaults();
	page->now_ns = 1000000;
	page->realtime_ns = 2000000;
	json_t *json = lease_trace_json(page);
	lease_trace_page_destroy(page);
	assert_non_null(json);
	return json;
}

static json_int_t number(const json_t *json, const char *name)
{
	assert_true(json_is_integer(json_object_get(json, name)));
	return json_integer_value(json_object_get(json, name));
}

static const json_t *event_at(const json_t *page, size_t index)
{
	return json_array_get(json_object_get(page, "events"), index);
}

static size_t count_of(const json_t *page, const char *name)
{
	return json_array_size(json_object_get(page, name));
}

static void pages_join_and_what_the_ring_overwrote_is_counted(void **state)
{
	struct lease_trace *trace = lease_trace_create(16, 77);
	uint32_t vgpu = lease_trace_join(trace, "desk");

	(void)state;
	for (uint64_t i = 1; i <= 10; i++)
		lease_trace_note(trace, vgpu, TRACE_KERNEL, i, 0, 100 + i);
	json_t *page = page_of(trace, 0, 4);
	assert_int_equal(count_of(page, "events"), 4);
	assert_int_equal(number(page, "next"), 4);
	assert_int_equal(number(page, "last"), 10);
	assert_int_equal(number(page, "lost"), 0);
	assert_int_equal(number(page, "began_ns"), 77);
	assert_int_equal(number(event_at(page, 3), "value_ns"), 4);
	json_decref(page);
	page = page_of(trace, 4, 100);
	assert_int_equal(count_of(page, "events"), 6);
	assert_int_equal(number(event_at(page, 0), "value_ns"), 5);
	assert_int_equal(number(page, "next"), 10);
	json_decref(page);
	page = page_of(trace, 10, 100);
	assert_int_equal(count_of(page, "events"), 0);
	assert_int_equal(number(page, "next"), 10);
	json_decref(page);
	for (uint64_t i = 11; i <= 40; i++)
		lease_trace_note(trace, vgpu, TRACE_KERNEL, i, 0, 100 + i);
	page = page_of(trace, 10, 100);
	assert_int_equal(number(page, "lost"), 14);
	assert_int_equal(count_of(page, "events"), 16);
	assert_int_equal(number(event_at(page, 0), "value_ns"), 25);
	assert_int_equal(number(event_at(page, 15), "value_ns"), 40);
	json_decref(page);
	lease_trace_destroy(trace);
}

static void each_kind_says_what_its_value_is(void **state)
{
	struct lease_trace *trace = lease_trace_create(16, 1);
	struct lease_status status = {.kernels = 3};
	struct lease_trace_engine seen = lease_trace_look(&status);
	uint32_t vgpu = lease_trace_join(trace, "desk");

	(void)state;
	lease_trace_identify(trace, vgpu, "4ab1ba4d-9a70-4e1d-bd2b-79748ef0f098");
	lease_trace_note(trace, vgpu, TRACE_WANT, 0, 0xfedcba9876543210u, 10);
	lease_trace_note(trace, vgpu, TRACE_GRANT, 50, 0, 20);
	assert_true(lease_trace_holds(trace, vgpu));
	status.busy_ns = 9;
	status.kernels = 5;
	lease_trace_engine(trace, vgpu, 2, 7, &status, &seen, 30);
	lease_trace_engine(trace, vgpu, 2, 7, &status, &seen, 30);	/* nothing since: no event */
	json_t *page = page_of(trace, 0, 16);
	const json_t *member = json_array_get(json_object_get(page, "vgpus"), 0);
	assert_int_equal(count_of(page, "events"), 3);
	assert_string_equal(json_string_value(json_object_get(event_at(page, 0), "kind")), "want");
	assert_string_equal(json_string_value(json_object_get(event_at(page, 0), "kernel")), "fedcba9876543210");
	assert_true(json_is_null(json_object_get(event_at(page, 0), "value_ns")));
	assert_string_equal(json_string_value(json_object_get(event_at(page, 1), "kind")), "grant");
	assert_int_equal(number(event_at(page, 1), "value_ns"), 50);
	assert_string_equal(json_string_value(json_object_get(event_at(page, 2), "kind")), "engine");
	assert_int_equal(number(event_at(page, 2), "slot"), 2);
	assert_int_equal(number(event_at(page, 2), "context"), 7);
	assert_int_equal(number(event_at(page, 2), "kernels"), 2);
	assert_int_equal(number(event_at(page, 2), "value_ns"), 9);
	assert_int_equal(number(event_at(page, 2), "at_ns"), 30);
	assert_string_equal(json_string_value(json_object_get(member, "name")), "desk");
	assert_string_equal(json_string_value(json_object_get(member, "uuid")), "4ab1ba4d-9a70-4e1d-bd2b-79748ef0f098");
	assert_int_equal(number(member, "held_since_ns"), 20);
	assert_int_equal(number(member, "deadline_ns"), 50);
	assert_int_equal(number(member, "weight"), 1024);
	json_decref(page);
	lease_trace_note(trace, vgpu, TRACE_RELEASE, 20, 0, 40);
	assert_false(lease_trace_holds(trace, vgpu));
	page = page_of(trace, 3, 16);
	member = json_array_get(json_object_get(page, "vgpus"), 0);
	assert_true(json_is_null(json_object_get(member, "held_since_ns")));
	json_decref(page);
	lease_trace_destroy(trace);
}

static void an_engine_that_lies_makes_no_bad_numbers(void **state)
{
	struct lease_trace *trace = lease_trace_create(16, 1);
	struct lease_status status = {.busy_ns = 1000};
	struct lease_trace_engine seen = lease_trace_look(&status);
	uint32_t vgpu = lease_trace_join(trace, "desk");

	(void)state;
	status.busy_ns = 5;	/* back: not an event */
	lease_trace_engine(trace, vgpu, 0, 0, &status, &seen, 10);
	status.busy_ns = UINT64_MAX;
	lease_trace_engine(trace, vgpu, 63, 63, &status, &seen, 20);
	json_t *page = page_of(trace, 0, 16);
	assert_int_equal(count_of(page, "events"), 1);
	assert_true(number(event_at(page, 0), "value_ns") > 0);
	assert_int_equal(number(event_at(page, 0), "slot"), 63);
	assert_int_equal(number(event_at(page, 0), "context"), 63);
	json_decref(page);
	lease_trace_destroy(trace);
}

static void a_removed_vgpu_is_named_as_long_as_an_event_of_it_is_there(void **state)
{
	struct lease_trace *trace = lease_trace_create(8, 1);
	uint32_t first = lease_trace_join(trace, "first"), second = lease_trace_join(trace, "second");
	struct entity_settings settings = entity_defaults();

	(void)state;
	settings.weight = 4000;
	assert_int_not_equal(first, second);
	lease_trace_note(trace, first, TRACE_KERNEL, 1, 0, 1);
	lease_trace_leave(trace, first, &settings);
	for (uint64_t i = 0; i < 7; i++)
		lease_trace_note(trace, second, TRACE_KERNEL, i, 0, 2 + i);
	lease_trace_join(trace, "third");
	json_t *page = page_of(trace, 0, 8);
	assert_int_equal(count_of(page, "vgpus"), 3);
	const json_t *gone = json_array_get(json_object_get(page, "vgpus"), 0);
	assert_string_equal(json_string_value(json_object_get(gone, "name")), "first");
	assert_true(json_is_true(json_object_get(gone, "gone")));
	assert_int_equal(number(gone, "weight"), 4000);
	assert_int_equal(number(event_at(page, 0), "vgpu"), first);
	json_decref(page);
	lease_trace_note(trace, second, TRACE_KERNEL, 9, 0, 9);	/* over its event */
	uint32_t fourth = lease_trace_join(trace, "fourth");
	page = page_of(trace, 0, 8);
	assert_int_equal(count_of(page, "vgpus"), 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_not_equal(json_string_value(json_object_get(json_array_get(json_object_get(page, "vgpus"), i), "name")), "first");
	assert_int_equal(fourth, 4);	/* no number is given twice */
	json_decref(page);
	lease_trace_destroy(trace);
}

/* A page from the beginning to the end, of a ring that a thousand vGPUs have come and gone through. */
static void the_table_of_names_is_bounded(void **state)
{
	struct lease_trace *trace = lease_trace_create(8, 1);
	struct entity_settings settings = entity_defaults();

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		uint32_t vgpu = lease_trace_join(trace, "passing");
		lease_trace_note(trace, vgpu, TRACE_GRANT, 0, 0, i + 1);
		lease_trace_note(trace, vgpu, TRACE_RELEASE, 1, 0, i + 1);
		lease_trace_leave(trace, vgpu, &settings);
	}
	json_t *page = page_of(trace, 0, 8);
	assert_int_equal(number(page, "lost"), 1992);
	assert_in_range(count_of(page, "vgpus"), 4, 9);
	json_decref(page);
	lease_trace_destroy(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_join_and_what_the_ring_overwrote_is_counted),
		cmocka_unit_test(each_kind_says_what_its_value_is),
		cmocka_unit_test(an_engine_that_lies_makes_no_bad_numbers),
		cmocka_unit_test(a_removed_vgpu_is_named_as_long_as_an_event_of_it_is_there),
		cmocka_unit_test(the_table_of_names_is_bounded),
	};

	return cmocka_run_group_tests_name("lease trace", tests, NULL, NULL);
}
