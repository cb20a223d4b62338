/* SPDX-License-Identifier: MIT */
/* From the service's pages to files: for Perfetto, looked at event by event, and for vgpu-sim, read by its own parser and run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/sim/sim.h"
#include "tools/vgpu-admin/trace_formats.h"
#include "tools/vgpu-sim/scenario_file.h"

#define MS 1000000ll

/* ---- pages as the service would give them ---- */

static json_t *member(int number, const char *name)
{
	return json_pack("{si ss ss sb sn sn si ss sI sI sI sI sI sI}", "number", number, "uuid", "4ab1ba4d-9a70-4e1d-bd2b-79748ef0f098", "name",
			 name, "gone", 0, "held_since_ns", "deadline_ns", "weight", 1024 * number, "class", "normal", "cap_ppm",
			 (json_int_t)1000000, "reservation_ppm", (json_int_t)0, "burst_ns", (json_int_t)10 * MS, "budget_ns", (json_int_t)0,
			 "period_ns", (json_int_t)0, "slice_ns", (json_int_t)0);
}

static json_t *new_page(int64_t now_ns)
{
	return json_pack("{s[] si si si sI s{sI sI} s{ss ss si si si sI sI sI sI sI si sI} s[oo]}", "events", "next", 0, "last", 0, "lost", 0,
			 "began_ns", (json_int_t)1, "clock", "monotonic_ns", (json_int_t)now_ns, "realtime_ns", (json_int_t)1795754270000000000,
			 "queue", "policy", "best-effort", "preemption", "freeze", "leases", 1, "slots", 8, "averaging", 33, "slice_ns",
			 (json_int_t)0, "target_latency_ns", (json_int_t)16 * MS, "slice_min_ns", (json_int_t)MS, "slice_max_ns",
			 (json_int_t)4 * MS, "switch_cost_ns", (json_int_t)15000, "switch_ppm", 4000, "chunk_ns", (json_int_t)500000, "vgpus",
			 member(1, "one"), member(2, "two"));
}

static void put(json_t *page, int64_t at_ns, const char *kind, int vgpu, int64_t value_ns)
{
	json_array_append_new(json_object_get(page, "events"), json_pack("{sI ss si sI sn}", "at_ns", (json_int_t)at_ns, "kind", kind, "vgpu", vgpu,
									 "value_ns", (json_int_t)value_ns, "kernel"));
}

static void put_kernel(json_t *page, int64_t at_ns, int vgpu, int64_t took_ns, const char *kernel)
{
	json_array_append_new(json_object_get(page, "events"), json_pack("{sI ss si sI ss}", "at_ns", (json_int_t)at_ns, "kind", "kernel", "vgpu",
									 vgpu, "value_ns", (json_int_t)took_ns, "kernel", kernel));
}

static void put_engine(json_t *page, int64_t at_ns, int vgpu, int64_t busy_ns, int slot, int context)
{
	json_array_append_new(json_object_get(page, "events"), json_pack("{sI ss si sI si si si}", "at_ns", (json_int_t)at_ns, "kind", "engine",
									 "vgpu", vgpu, "value_ns", (json_int_t)busy_ns, "kernels", 3, "slot",
									 slot, "context", context));
}

static json_t *vgpu_of(json_t *page, size_t index)
{
	return json_array_get(json_object_get(page, "vgpus"), index);
}

static void take(struct trace_events *events, json_t *page)
{
	assert_non_null(page);
	assert_int_equal(trace_events_add(events, page), 0);
	json_decref(page);
}

/* ---- what came of them ---- */

static char *text_of(int (*write)(FILE *, const struct trace_events *), const struct trace_events *events, int expected)
{
	char *text = NULL;
	size_t bytes;
	FILE *file = open_memstream(&text, &bytes);

	assert_int_equal(write(file, events), expected);
	fclose(file);
	return text;
}

static double real(const json_t *event, const char *name)
{
	const json_t *value = json_object_get(event, name);

	assert_true(json_is_number(value));
	return json_number_value(value);
}

/* Every X has what it needs, and nothing on a track overlaps. Returns the file. */
static json_t *perfetto_of(const struct trace_events *events)
{
	char *text = text_of(trace_write_perfetto, events, 0);
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const json_t *list = json_object_get(json, "traceEvents"), *event, *other;
	size_t i, k;

	assert_non_null(json);
	free(text);
	json_array_foreach(list, i, event) {
		if (strcmp(json_string_value(json_object_get(event, "ph")), "X"))
			continue;
		double ts = real(event, "ts"), tid = real(event, "tid");
		bool is_named = false;
		assert_true(real(event, "dur") >= 0);
		assert_true(real(event, "pid") == 1);
		json_array_foreach(list, k, other) {
			const char *ph = json_string_value(json_object_get(other, "ph"));
			if (real(other, "tid") != tid)
				continue;
			is_named |= !strcmp(ph, "M") && !strcmp(json_string_value(json_object_get(other, "name")), "thread_name");
			if (!strcmp(ph, "X") && k != i && real(other, "ts") >= ts)
				assert_true(real(other, "ts") >= ts + real(event, "dur") - 0.0005);
		}
		assert_true(is_named);
	}
	return json;
}

/* The nth X of this name, NULL if there are not so many. */
static const json_t *span(const json_t *json, const char *name, size_t nth)
{
	const json_t *event;
	size_t index;

	json_array_foreach(json_object_get(json, "traceEvents"), index, event)
		if (!strcmp(json_string_value(json_object_get(event, "ph")), "X") && !strcmp(json_string_value(json_object_get(event, "name")), name) &&
		    !nth--)
			return event;
	return NULL;
}

static bool has_track(const json_t *json, const char *name)
{
	const json_t *event;
	size_t index;

	json_array_foreach(json_object_get(json, "traceEvents"), index, event) {
		const char *track = json_string_value(json_object_get(json_object_get(event, "args"), "name"));
		if (track && !strcmp(track, name))
			return true;
	}
	return false;
}

static const json_t *instant(const json_t *json, const char *name)
{
	const json_t *event;
	size_t index;

	json_array_foreach(json_object_get(json, "traceEvents"), index, event)
		if (!strcmp(json_string_value(json_object_get(event, "ph")), "i") && !strcmp(json_string_value(json_object_get(event, "name")), name))
			return event;
	return NULL;
}

/* Read by vgpu-sim's own reader. */
static struct scenario *scenario_of(const struct trace_events *events)
{
	char *text = text_of(trace_write_recorded, events, 0), why[SCENARIO_WHY_BYTES] = "";
	struct scenario *scenario;

	if (scenario_parse(text, strlen(text), "/nonexistent", NULL, &scenario, why))
		fail_msg("%s: %s", why, text);
	free(text);
	return scenario;
}

static uint64_t kernels_simulated(const struct scenario *scenario, size_t index)
{
	struct sim_result *result;
	char why[ADMISSION_WHY_BYTES];

	assert_int_equal(sim_run(scenario, &rule_vgpud, 1, NULL, &result, why), 0);
	uint64_t kernels = result->members[index].kernels;
	sim_result_destroy(result);
	return kernels;
}

/* ---- the tests ---- */

static void two_that_take_turns_have_leases_and_waits(void **state)
{
	struct trace_events events;
	json_t *page = new_page(20 * MS);

	(void)state;
	trace_events_init(&events, "gpu0");
	put(page, 1 * MS, "want", 1, 0);
	put(page, 1 * MS, "grant", 1, 5 * MS);
	put(page, 2 * MS, "want", 2, 0);
	put(page, 6 * MS, "overrun", 1, MS);
	put_engine(page, 7 * MS, 1, 5 * MS, 1, 2);
	put(page, 7 * MS, "release", 1, 6 * MS);
	put(page, 7 * MS, "grant", 2, 11 * MS);
	put(page, 11 * MS, "release", 2, 4 * MS);
	put(page, 11 * MS, "grant", 1, 15 * MS);
	put(page, 12 * MS, "squat", 2, 3 * MS);
	put(page, 13 * MS, "release", 1, 2 * MS);
	take(&events, page);
	json_t *json = perfetto_of(&events);
	assert_true(has_track(json, "one leases"));
	assert_true(has_track(json, "two leases"));
	assert_true(has_track(json, "one engine 1.2"));
	assert_false(has_track(json, "two engine 0.0"));
	const json_t *first = span(json, "lease", 0);
	assert_true(real(first, "ts") == 1000 && real(first, "dur") == 6000);
	assert_true(json_is_true(json_object_get(json_object_get(first, "args"), "overran")));
	assert_true(real(json_object_get(first, "args"), "deadline_us") == 5000);
	assert_true(real(json_object_get(first, "args"), "past_deadline_us") == 2000);
	assert_non_null(span(json, "lease", 2));
	assert_null(span(json, "lease", 3));
	/* One had its lease at once, two waited from its want on, one again from its release on. */
	assert_true(real(span(json, "waits", 0), "dur") == 0);
	assert_true(real(span(json, "waits", 1), "ts") == 2000 && real(span(json, "waits", 1), "dur") == 5000);
	assert_true(real(span(json, "waits", 2), "ts") == 7000 && real(span(json, "waits", 2), "dur") == 4000);
	assert_null(span(json, "waits", 3));
	assert_true(real(instant(json, "overrun"), "ts") == 6000);
	assert_true(real(instant(json, "squat"), "ts") == 12000);
	assert_true(real(span(json, "active", 0), "dur") == 6000);
	json_decref(json);

	struct scenario *scenario = scenario_of(&events);
	assert_int_equal(scenario->member_count, 2);
	assert_string_equal(scenario->members[0].name, "one");
	assert_int_equal(scenario->members[1].settings.weight, 2048);
	assert_int_equal(scenario->preemption, PREEMPTION_FREEZE);
	assert_int_equal(scenario->duration_ns, 19 * MS);
	const struct load *load = &scenario->members[0].load;
	assert_int_equal(load->record_count, 2);
	assert_int_equal(load->records[0].at_ns, 0);
	assert_int_equal(load->records[0].length_ns, 6 * MS);
	assert_int_equal(load->records[1].at_ns, 6 * MS);	/* since its release */
	assert_int_equal(load->records[1].length_ns, 2 * MS);
	load = &scenario->members[1].load;
	assert_int_equal(load->record_count, 1);
	assert_int_equal(load->records[0].at_ns, MS);
	assert_int_equal(kernels_simulated(scenario, 0), 2);
	scenario_destroy(scenario);
	trace_events_finish(&events);
}

static void what_the_trace_does_not_show_whole_is_cut(void **state)
{
	struct trace_events events;
	json_t *page = new_page(30 * MS);

	(void)state;
	trace_events_init(&events, "gpu0");
	events.begin_ns = 10 * MS;	/* as with --seconds */
	events.ring_began_ns = 1;
	put(page, 12 * MS, "release", 1, 8 * MS);	/* since 4 ms: before the beginning */
	put(page, 13 * MS, "grant", 2, 20 * MS);	/* not released before the end */
	put(page, 14 * MS, "want", 1, 0);		/* waits until the end */
	take(&events, page);
	json_t *json = perfetto_of(&events);
	assert_true(real(span(json, "lease", 0), "ts") == 10000 && real(span(json, "lease", 0), "dur") == 2000);
	assert_true(json_is_true(json_object_get(json_object_get(span(json, "lease", 0), "args"), "cut")));
	assert_true(real(span(json, "lease", 1), "ts") == 13000 && real(span(json, "lease", 1), "dur") == 17000);
	assert_true(real(span(json, "waits", 0), "ts") == 14000 && real(span(json, "waits", 0), "dur") == 16000);
	json_decref(json);
	trace_events_finish(&events);

	/* A lone holder that was silent all the time. */
	trace_events_init(&events, "gpu0");
	events.begin_ns = 10 * MS;
	events.ring_began_ns = 1;
	page = new_page(30 * MS);
	json_object_set_new(vgpu_of(page, 0), "held_since_ns", json_integer(2 * MS));
	json_object_set_new(vgpu_of(page, 0), "deadline_ns", json_integer(0));
	take(&events, page);
	json = perfetto_of(&events);
	assert_true(real(span(json, "open lease", 0), "ts") == 10000 && real(span(json, "open lease", 0), "dur") == 20000);
	json_decref(json);
	free(text_of(trace_write_recorded, &events, -ENODATA));	/* held, but nothing done */
	trace_events_finish(&events);
}

static void lost_events_are_shown_and_end_what_was_going_on(void **state)
{
	struct trace_events events;
	json_t *page = new_page(10 * MS);

	(void)state;
	trace_events_init(&events, "gpu0");
	json_object_set_new(page, "lost", json_integer(5));	/* of the first page: before us */
	put(page, 1 * MS, "grant", 1, 3 * MS);
	put_engine(page, 9 * MS, 1, 7 * MS, 0, 0);
	take(&events, page);
	assert_int_equal(events.overwritten, 5);
	assert_int_equal(events.lost, 0);
	page = new_page(20 * MS);
	json_object_set_new(page, "lost", json_integer(1000));
	put(page, 15 * MS, "grant", 2, 18 * MS);
	put(page, 17 * MS, "release", 2, 2 * MS);
	take(&events, page);
	assert_int_equal(events.lost, 1000);
	json_t *json = perfetto_of(&events);
	assert_true(real(json_object_get(instant(json, "events lost"), "args"), "count") == 1000);
	assert_true(real(instant(json, "events lost"), "ts") == 9000);
	assert_true(real(json_object_get(json, "otherData"), "lost") == 1000);
	assert_true(real(span(json, "lease", 0), "dur") == 8000);	/* not over the time that nothing is known of */
	assert_true(json_is_true(json_object_get(json_object_get(span(json, "lease", 0), "args"), "cut")));
	json_decref(json);
	struct scenario *scenario = scenario_of(&events);
	assert_non_null(strstr(scenario->title, "1000 events lost"));
	scenario_destroy(scenario);
	trace_events_finish(&events);
}

static void noted_kernels_are_what_is_replayed(void **state)
{
	struct trace_events events;
	json_t *page = new_page(40 * MS);

	(void)state;
	trace_events_init(&events, "gpu0");
	put(page, 1 * MS, "want", 1, 0);
	put(page, 4 * MS, "grant", 1, 8 * MS);
	put_kernel(page, 6 * MS, 1, 2 * MS, "fedcba9876543210");
	put_kernel(page, 9 * MS, 1, 3 * MS, "00000000000000aa");
	put_kernel(page, 10 * MS, 1, 5 * MS, "00000000000000aa");	/* began before the last was done */
	put(page, 10 * MS, "release", 1, 6 * MS);
	take(&events, page);
	json_t *json = perfetto_of(&events);
	assert_true(has_track(json, "one kernels"));
	assert_true(real(span(json, "kernel fedcba9876543210", 0), "ts") == 4000);
	assert_true(real(span(json, "kernel 00000000000000aa", 1), "ts") == 9000 && real(span(json, "kernel 00000000000000aa", 1), "dur") == 1000);
	json_decref(json);
	struct scenario *scenario = scenario_of(&events);
	assert_int_equal(scenario->member_count, 1);	/* the other did nothing */
	const struct load *load = &scenario->members[0].load;
	assert_int_equal(load->record_count, 3);
	assert_int_equal(load->records[0].at_ns, 0);		/* since its want */
	assert_int_equal(load->records[0].length_ns, 2 * MS);
	assert_int_equal(load->records[0].kernel_id, 0x7edcba9876543210u);	/* as JSON keeps it */
	assert_int_equal(load->records[1].at_ns, 5 * MS);	/* when the one before was done */
	assert_int_equal(load->records[1].kernel_id, 0xaa);
	assert_int_equal(load->records[2].length_ns, MS);
	scenario_destroy(scenario);
	trace_events_finish(&events);
}

static void an_open_lease_is_replayed_by_what_its_engines_did(void **state)
{
	struct trace_events events;
	json_t *page = new_page(1000 * MS);

	(void)state;
	trace_events_init(&events, "gpu0");
	put(page, 1 * MS, "grant", 1, 0);
	put_engine(page, 201 * MS, 1, 20 * MS, 0, 0);	/* the trace was read */
	put_engine(page, 201 * MS, 1, 30 * MS, 0, 1);	/* beside it */
	put_engine(page, 401 * MS, 1, 0, 0, 0);		/* in the middle of a kernel all the time */
	take(&events, page);
	json_t *json = perfetto_of(&events);
	assert_true(real(span(json, "open lease", 0), "dur") == 999000);
	assert_true(has_track(json, "one engine 0.0") && has_track(json, "one engine 0.1"));
	assert_true(real(span(json, "active", 2), "ts") == 201000 && real(span(json, "active", 2), "dur") == 200000);
	json_decref(json);
	struct scenario *scenario = scenario_of(&events);
	const struct load *load = &scenario->members[0].load;
	assert_int_equal(load->record_count, 2);
	assert_int_equal(load->records[0].length_ns, 20 * MS);
	assert_int_equal(load->records[1].at_ns, 200 * MS);
	assert_int_equal(load->records[1].length_ns, 200 * MS);
	scenario_destroy(scenario);
	trace_events_finish(&events);
}

static void a_scenario_has_names_it_can_take_and_promises_that_fit(void **state)
{
	static const char long_name[] = "a-name-of-more-than-thirty-one-characters";
	struct trace_events events;
	json_t *page = new_page(40 * MS);

	(void)state;
	trace_events_init(&events, "gpu0");
	json_object_set_new(vgpu_of(page, 0), "name", json_string(long_name));
	json_object_set_new(vgpu_of(page, 0), "gone", json_true());
	json_object_set_new(vgpu_of(page, 0), "reservation_ppm", json_integer(800000));
	json_object_set_new(vgpu_of(page, 1), "reservation_ppm", json_integer(800000));	/* since the other has gone */
	json_array_append_new(json_object_get(page, "vgpus"), member(3, "two"));
	for (int vgpu = 1; vgpu <= 3; vgpu++) {
		put(page, vgpu * 3 * MS, "grant", vgpu, 20 * MS);
		put(page, (vgpu * 3 + 1) * MS, "release", vgpu, MS);
	}
	take(&events, page);
	json_t *json = perfetto_of(&events);
	assert_true(has_track(json, "a-name-of-more-than-thirty-one-characters leases (removed)"));
	json_decref(json);
	struct scenario *scenario = scenario_of(&events);
	assert_int_equal(scenario->member_count, 3);
	assert_string_equal(scenario->members[0].name, "4ab1ba4d.1");
	assert_string_equal(scenario->members[1].name, "two");
	assert_string_equal(scenario->members[2].name, "4ab1ba4d.3");
	assert_int_equal(scenario->members[0].settings.reservation_ppm, 0);
	assert_int_equal(scenario->members[1].settings.reservation_ppm, 800000);
	scenario_destroy(scenario);
	trace_events_finish(&events);
}

static void a_scenario_is_the_last_hour_at_most(void **state)
{
	struct trace_events events;
	json_t *page = new_page(5400000 * MS);	/* an hour and a half */

	(void)state;
	trace_events_init(&events, "gpu0");
	put(page, 1 * MS, "grant", 1, 4 * MS);
	put(page, 4 * MS, "release", 1, 3 * MS);
	put(page, 5000000 * MS, "grant", 2, 5000004 * MS);
	put(page, 5000003 * MS, "release", 2, 3 * MS);
	take(&events, page);
	struct scenario *scenario = scenario_of(&events);
	assert_int_equal(scenario->duration_ns, 3600000 * MS);
	assert_int_equal(scenario->member_count, 1);
	assert_string_equal(scenario->members[0].name, "two");
	assert_int_equal(scenario->members[0].load.records[0].at_ns, 3200000 * MS);
	scenario_destroy(scenario);
	trace_events_finish(&events);
}

static void what_no_vgpud_would_answer_is_refused(void **state)
{
	static const char *const pages[] = {
		"{}",
		"{\"events\": [], \"next\": 0, \"lost\": 0, \"began_ns\": 1, \"clock\": {}, \"vgpus\": []}",
		"{\"events\": [], \"next\": -1, \"lost\": 0, \"began_ns\": 1, \"clock\": {\"monotonic_ns\": 5, \"realtime_ns\": 5}, \"vgpus\": []}",
		"{\"events\": [], \"next\": 0, \"lost\": 0, \"began_ns\": 1, \"clock\": {\"monotonic_ns\": 5, \"realtime_ns\": 5}, \"vgpus\": [{}]}",
		"{\"events\": [{\"at_ns\": 1, \"kind\": \"grant\", \"vgpu\": 9, \"value_ns\": 0}], \"next\": 0, \"lost\": 0, \"began_ns\": 1, "
		"\"clock\": {\"monotonic_ns\": 5, \"realtime_ns\": 5}, \"vgpus\": []}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		struct trace_events events;
		json_t *page = json_loads(pages[i], 0, NULL);
		assert_non_null(page);
		trace_events_init(&events, "gpu0");
		assert_int_equal(trace_events_add(&events, page), -EPROTO);
		trace_events_finish(&events);
		json_decref(page);
	}
	/* A kind of a later vgpud is passed over. */
	struct trace_events events;
	json_t *page = new_page(9 * MS);
	trace_events_init(&events, "gpu0");
	put(page, 1 * MS, "dance", 1, 0);
	put(page, 2 * MS, "want", 1, 0);
	take(&events, page);
	assert_int_equal(events.count, 1);
	trace_events_finish(&events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_that_take_turns_have_leases_and_waits),
		cmocka_unit_test(what_the_trace_does_not_show_whole_is_cut),
		cmocka_unit_test(lost_events_are_shown_and_end_what_was_going_on),
		cmocka_unit_test(noted_kernels_are_what_is_replayed),
		cmocka_unit_test(an_open_lease_is_replayed_by_what_its_engines_did),
		cmocka_unit_test(a_scenario_has_names_it_can_take_and_promises_that_fit),
		cmocka_unit_test(a_scenario_is_the_last_hour_at_most),
		cmocka_unit_test(what_no_vgpud_would_answer_is_refused),
	};

	return cmocka_run_group_tests_name("trace files", tests, NULL, NULL);
}
