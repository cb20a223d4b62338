/* SPDX-License-Identifier: MIT */
/* The scheduler's settings as JSON: what is read, refused, shown and kept; state files of the builds before there were any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "mdev/profile.h"
#include "mdev/sched_settings.h"
#include "mdev/vgpu_spec.h"
#include "scheduler/admission.h"

#define UUID "01234567-89ab-4def-8123-456789abcdef"

static json_t *json(const char *text)
{
	char why[256];
	json_t *object = json_parse_strictly(text, strlen(text), why);

	if (!object)
		fail_msg("%s: %s", text, why);
	return object;
}

/* As a PATCH body is taken, over *settings. 0, or -EINVAL with a sentence. */
static int take(const char *text, struct sched_settings *settings, char why[256])
{
	json_t *object = json(text);
	struct json_reader reader;
	struct sched_edit edit;
	struct sched_settings after = *settings;

	json_reader_init(&reader, object);
	sched_edit_read(&reader, &edit);
	int error = json_reader_finish(&reader);
	if (error)
		memcpy(why, reader.why, 256);
	if (!error) {
		sched_edit_apply(&edit, &after);
		error = sched_settings_check(&after, why);
	}
	if (!error)
		*settings = after;
	json_decref(object);
	return error;
}

static void what_is_given_changes_and_the_rest_stays(void **state)
{
	struct sched_settings settings = sched_settings_defaults();
	char why[256];

	(void)state;
	assert_int_equal(take("{\"weight\":2048,\"cap_ppm\":500000}", &settings, why), 0);
	assert_int_equal(take("{\"reservation_ppm\":250000,\"burst_ns\":1000000,\"slice_ns\":2000000}", &settings, why), 0);
	assert_int_equal(take("{\"class\":\"realtime\",\"budget_ns\":2000000,\"period_ns\":16000000,\"hang_timeout_ms\":10000}", &settings, why), 0);
	assert_int_equal(settings.entity.weight, 2048);
	assert_int_equal(settings.entity.cap_ppm, 500000);
	assert_int_equal(settings.entity.reservation_ppm, 250000);
	assert_int_equal(settings.entity.burst_ns, 1000000);
	assert_int_equal(settings.entity.slice_ns, 2000000);
	assert_int_equal(settings.entity.class, ENTITY_REALTIME);
	assert_int_equal(settings.entity.budget_ns, 2000000);
	assert_int_equal(settings.entity.period_ns, 16000000);
	assert_int_equal(settings.hang_timeout_ms, 10000);
	assert_int_equal(take("{\"slice_ns\":0,\"hang_timeout_ms\":0,\"cap_ppm\":1000000}", &settings, why), 0);
	assert_int_equal(settings.entity.slice_ns, 0);
	assert_int_equal(settings.hang_timeout_ms, 0);
	assert_int_equal(settings.entity.weight, 2048);
}

static void leaving_realtime_leaves_the_budget_behind(void **state)
{
	struct sched_settings settings = sched_settings_defaults();
	char why[256];

	(void)state;
	assert_int_equal(take("{\"class\":\"realtime\",\"budget_ns\":2000000,\"period_ns\":16000000}", &settings, why), 0);
	assert_int_equal(take("{\"class\":\"normal\"}", &settings, why), 0);
	assert_int_equal(settings.entity.class, ENTITY_NORMAL);
	assert_int_equal(settings.entity.budget_ns, 0);
	assert_int_equal(settings.entity.period_ns, 0);
	/* Who speaks of a budget means it. */
	assert_int_equal(take("{\"class\":\"normal\",\"budget_ns\":2000000,\"period_ns\":16000000}", &settings, why), -EINVAL);
}

static void what_cannot_be_kept_is_refused_with_what_would_do(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"{\"weight\":0}", "'weight' is 0; it must be from 1 to 65536"},
		{"{\"weight\":65537}", "'weight' is 65537; it must be from 1 to 65536"},
		{"{\"weight\":-1}", "'weight' is -1; it must be from 1 to 65536"},
		{"{\"weight\":1.5}", "with a fraction"},
		{"{\"weight\":\"1\"}", "'weight' is a string"},
		{"{\"weight\":null}", "'weight' is null"},
		{"{\"weight\":4294967297}", "it must be from 1 to 65536"},
		{"{\"wieght\":1}", "did you mean 'weight'?"},
		{"{\"cap\":1}", "there is no field 'cap'"},
		{"{\"cap_ppm\":0}", "from 1000 to 1000000"},
		{"{\"cap_ppm\":1010000}", "from 1000 to 1000000"},
		{"{\"cap_ppm\":4295967296}", "from 1000 to 1000000"},
		{"{\"reservation_ppm\":1000001}", "from 0 to 1000000"},
		{"{\"cap_ppm\":200000,\"reservation_ppm\":300000}", "a reservation of 30 % under a cap of 20 %"},
		{"{\"class\":\"idle\",\"reservation_ppm\":300000}", "choose the class normal, or reserve 0"},
		{"{\"burst_ns\":99999}", "from 100000 to 10000000000"},
		{"{\"burst_ns\":10000000001}", "from 100000 to 10000000000"},
		{"{\"slice_ns\":99999}", "a slice of 0.099999 ms; it must be from 0.1 to 100 ms"},
		{"{\"slice_ns\":100000001}", "from 0 to 100000000"},
		{"{\"class\":\"gold\"}", "'class' is 'gold'; it must be normal, realtime or idle"},
		{"{\"class\":1}", "'class' is a whole number; it must be normal, realtime or idle"},
		{"{\"class\":\"\"}", "it must be normal, realtime or idle"},
		{"{\"class\":\"realtime\"}", "a realtime period of 0 ms; it must be from 1 to 10000 ms"},
		{"{\"class\":\"realtime\",\"period_ns\":16000000}", "a realtime budget of 0 ms; it must be from 0.05 ms to its period, 16 ms"},
		{"{\"class\":\"realtime\",\"budget_ns\":17000000,\"period_ns\":16000000}", "a realtime budget of 17 ms; it must be from 0.05 ms to its period"},
		{"{\"budget_ns\":2000000,\"period_ns\":16000000}", "needs the class realtime"},
		{"{\"class\":\"realtime\",\"budget_ns\":8000000,\"period_ns\":16000000,\"cap_ppm\":250000}", "take at most 4 ms"},
		{"{\"hang_timeout_ms\":9}", "a hang timeout of 9 ms; it must be from 10 ms to 3600 s, or 0 for none"},
		{"{\"hang_timeout_ms\":3600001}", "from 0 to 3600000"},
		{"{\"policy\":\"adaptive\"}", "there is no field 'policy'"},
	};
	const struct sched_settings defaults = sched_settings_defaults();

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sched_settings settings = defaults;
		char why[256] = "";
		if (take(bad[i].text, &settings, why) != -EINVAL)
			fail_msg("%s is taken", bad[i].text);
		if (!strstr(why, bad[i].why))
			fail_msg("%s says: %s", bad[i].text, why);
		assert_memory_equal(&settings, &defaults, sizeof(settings));
	}
}

static void every_bound_itself_is_good(void **state)
{
	static const char *const good[] = {
		"{\"weight\":1}", "{\"weight\":65536}", "{\"cap_ppm\":1000}", "{\"cap_ppm\":1000000}", "{\"cap_ppm\":1000,\"reservation_ppm\":1000}",
		"{\"burst_ns\":100000}", "{\"burst_ns\":10000000000}", "{\"slice_ns\":100000}", "{\"slice_ns\":100000000}", "{\"class\":\"idle\"}",
		"{\"class\":\"realtime\",\"budget_ns\":50000,\"period_ns\":1000000}",
		"{\"class\":\"realtime\",\"budget_ns\":10000000000,\"period_ns\":10000000000}", "{\"hang_timeout_ms\":10}", "{\"hang_timeout_ms\":3600000}",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct sched_settings settings = sched_settings_defaults();
		char why[256];
		if (take(good[i], &settings, why))
			fail_msg("%s: %s", good[i], why);
	}
}

/* As an object with nothing else. */
static void what_is_stored_or_shown_is_read_as_it_was(void **state)
{
	struct sched_settings settings = sched_settings_defaults(), again;
	char why[256];

	(void)state;
	assert_int_equal(take("{\"weight\":7,\"class\":\"realtime\",\"budget_ns\":2000000,\"period_ns\":16000000,\"cap_ppm\":900000,\"burst_ns\":200000,"
			      "\"reservation_ppm\":1,\"slice_ns\":100000,\"hang_timeout_ms\":11}", &settings, why), 0);
	for (int is_shown = 0; is_shown < 2; is_shown++) {
		json_t *object = json_object();
		assert_int_equal(is_shown ? sched_settings_show(&settings, object) : sched_settings_store(&settings, object), 0);
		assert_int_equal(json_object_size(object), 9);
		char *text = json_dumps(object, 0);
		again = sched_settings_defaults();
		assert_int_equal(take(text, &again, why), 0);
		assert_memory_equal(&again.entity, &settings.entity, sizeof(again.entity));
		assert_int_equal(again.hang_timeout_ms, settings.hang_timeout_ms);
		free(text);
		json_decref(object);
	}
}

static void keys_named_in_sentences_are_those_there_are(void **state)
{
	struct sched_settings settings = sched_settings_defaults();
	struct run_queue_settings queue = run_queue_defaults();
	json_t *shown[2] = {json_object(), json_object()};
	const char *said[2] = {sched_settings_keys(), queue_settings_keys()};

	(void)state;
	assert_int_equal(sched_settings_show(&settings, shown[0]), 0);
	assert_int_equal(queue_settings_show(&queue, shown[1]), 0);
	for (int i = 0; i < 2; i++) {
		size_t words = 1;
		const char *key;
		json_t *value;
		for (const char *at = said[i]; *at; at++)
			words += *at == ',';
		assert_int_equal(words, json_object_size(shown[i]));
		json_object_foreach(shown[i], key, value)
			assert_non_null(strstr(said[i], key));
		json_decref(shown[i]);
	}
}

/* ---- state files -------------------------------------------------------------------------------------- */

/* Written by the build before there were settings. */
static const char old_spec[] =
	"{\"schema\":1,\"uuid\":\"" UUID "\",\"name\":\"vm1\",\"profile\":\"c1g\",\"gpu\":\"gpu0\",\"vram_bytes\":1073741824,"
	"\"max_contexts\":16,\"weight\":1024,\"created_s\":1700000000,\"deleting\":false}";
static const char old_profile[] =
	"{\"schema\":1,\"created_s\":1700000000,\"name\":\"mine\",\"vram_bytes\":1073741824,\"max_contexts\":4,\"weight\":2048}";

static void old_state_files_are_read_with_the_defaults(void **state)
{
	struct sched_settings defaults = sched_settings_defaults();
	struct vgpu_spec spec;
	struct profile profile;
	char why[256];
	json_t *object = json(old_spec);

	(void)state;
	assert_int_equal(vgpu_spec_parse(object, &spec, why), 0);
	json_decref(object);
	assert_memory_equal(&spec.sched.entity, &defaults.entity, sizeof(defaults.entity));
	assert_int_equal(spec.sched.hang_timeout_ms, 0);
	object = json(old_profile);
	assert_int_equal(profile_parse(object, true, &profile, why), 0);
	json_decref(object);
	assert_int_equal(profile.sched.entity.weight, 2048);
	defaults.entity.weight = 2048;
	assert_memory_equal(&profile.sched.entity, &defaults.entity, sizeof(defaults.entity));
}

static void what_has_no_settings_is_written_as_before(void **state)
{
	struct vgpu_spec spec;
	struct profile profile;
	char why[256];
	json_t *object = json(old_spec);

	(void)state;
	assert_int_equal(vgpu_spec_parse(object, &spec, why), 0);
	json_t *again = vgpu_spec_store_json(&spec);
	assert_true(json_equal(object, again));
	json_decref(again);
	json_decref(object);
	object = json(old_profile);
	assert_int_equal(profile_parse(object, true, &profile, why), 0);
	again = profile_store_json(&profile);
	assert_true(json_equal(object, again));
	json_decref(again);
	json_decref(object);
}

static void a_stored_definition_keeps_its_settings(void **state)
{
	struct vgpu_spec spec, again;
	char why[256];
	json_t *object = json(old_spec);

	(void)state;
	assert_int_equal(vgpu_spec_parse(object, &spec, why), 0);
	json_decref(object);
	assert_int_equal(take("{\"cap_ppm\":333333,\"reservation_ppm\":5,\"hang_timeout_ms\":10000}", &spec.sched, why), 0);
	object = vgpu_spec_store_json(&spec);
	assert_int_equal(vgpu_spec_parse(object, &again, why), 0);
	assert_memory_equal(&again.sched.entity, &spec.sched.entity, sizeof(spec.sched.entity));
	assert_int_equal(again.sched.hang_timeout_ms, 10000);
	/* A file that was edited by hand is checked as anything else. */
	json_object_set_new(object, "reservation_ppm", json_integer(333334));
	assert_int_equal(vgpu_spec_parse(object, &again, why), -EINVAL);
	assert_non_null(strstr(why, "under a cap"));
	json_decref(object);
}

/* ---- of a GPU ------------------------------------------------------------------------------------------ */

static int take_queue(const char *text, struct queue_edit *edit, char why[256])
{
	json_t *object = json(text);
	struct json_reader reader;
	struct queue_edit later;

	json_reader_init(&reader, object);
	queue_edit_read(&reader, &later);
	int error = json_reader_finish(&reader);
	if (error)
		memcpy(why, reader.why, 256);
	else
		queue_edit_merge(edit, &later);
	json_decref(object);
	return error;
}

static void a_gpu_keeps_only_what_was_set(void **state)
{
	struct run_queue_settings settings = run_queue_defaults(), defaults = run_queue_defaults();
	struct queue_edit edit = {0}, again = {0};
	char why[256];

	(void)state;
	assert_int_equal(take_queue("{\"policy\":\"fixed-share\",\"slots\":4}", &edit, why), 0);
	assert_int_equal(take_queue("{\"slots\":5,\"leases\":2}", &edit, why), 0);
	json_t *object = json_object();
	assert_int_equal(queue_edit_store(&edit, object), 0);
	assert_int_equal(json_object_size(object), 3);
	char *text = json_dumps(object, 0);
	assert_int_equal(take_queue(text, &again, why), 0);
	free(text);
	json_decref(object);
	settings.slice_max_ns = 9000000;	/* what follows from the GPU stays, where nothing was set */
	queue_edit_apply(&again, &settings);
	assert_int_equal(settings.policy, POLICY_FIXED_SHARE);
	assert_int_equal(settings.slots, 5);
	assert_int_equal(settings.leases, 2);
	assert_int_equal(settings.slice_max_ns, 9000000);
	assert_int_equal(settings.averaging, defaults.averaging);
	/* A GPU for which nothing was set is written as before. */
	edit = (struct queue_edit){0};
	object = json_object();
	assert_int_equal(queue_edit_store(&edit, object), 0);
	assert_int_equal(json_object_size(object), 0);
	json_decref(object);
}

static void a_longest_slice_takes_the_shortest_down_with_it(void **state)
{
	struct run_queue_settings settings = run_queue_defaults();
	struct queue_edit edit = {0};
	struct run_queue *queue;
	char why[256];

	(void)state;
	assert_int_equal(take_queue("{\"slice_max_ns\":100000}", &edit, why), 0);
	queue_edit_apply(&edit, &settings);
	assert_int_equal(settings.slice_max_ns, 100000);
	assert_int_equal(run_queue_create(&settings, &queue, why), 0);
	run_queue_destroy(queue);
}

static void a_run_queue_that_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"{\"policy\":\"fair\"}", "'policy' is 'fair'; it must be best-effort, equal-share, fixed-share or adaptive"},
		{"{\"policy\":0}", "'policy' is a whole number"},
		{"{\"slots\":0}", "from 1 to 1024"},
		{"{\"slots\":1025}", "from 1 to 1024"},
		{"{\"leases\":0}", "from 1 to 256"},
		{"{\"leases\":257}", "from 1 to 256"},
		{"{\"averaging\":61}", "from 1 to 60"},
		{"{\"slice_ns\":100000001}", "from 0 to 100000000"},
		{"{\"target_latency_ns\":99999}", "from 100000 to 1000000000"},
		{"{\"slice_max_ns\":-5}", "from 100000 to 100000000"},
		{"{\"slice_min_ns\":1000000}", "did you mean 'slice_max_ns'?"},
		{"{\"weight\":5}", "there is no field 'weight'"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct queue_edit edit = {0};
		char why[256] = "";
		if (take_queue(bad[i].text, &edit, why) != -EINVAL)
			fail_msg("%s is taken", bad[i].text);
		if (!strstr(why, bad[i].why))
			fail_msg("%s says: %s", bad[i].text, why);
		assert_int_equal(edit.given, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_changes_and_the_rest_stays),
		cmocka_unit_test(leaving_realtime_leaves_the_budget_behind),
		cmocka_unit_test(what_cannot_be_kept_is_refused_with_what_would_do),
		cmocka_unit_test(every_bound_itself_is_good),
		cmocka_unit_test(what_is_stored_or_shown_is_read_as_it_was),
		cmocka_unit_test(keys_named_in_sentences_are_those_there_are),
		cmocka_unit_test(old_state_files_are_read_with_the_defaults),
		cmocka_unit_test(what_has_no_settings_is_written_as_before),
		cmocka_unit_test(a_stored_definition_keeps_its_settings),
		cmocka_unit_test(a_gpu_keeps_only_what_was_set),
		cmocka_unit_test(a_longest_slice_takes_the_shortest_down_with_it),
		cmocka_unit_test(a_run_queue_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
