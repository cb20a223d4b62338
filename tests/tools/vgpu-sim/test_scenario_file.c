/* SPDX-License-Identifier: MIT */
/* Scenario files: what is written is read back the same, and bad fields are named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scheduler/sim/sim.h"
#include "tests/scheduler/random_scenario.h"
#include "tools/vgpu-sim/scenario_file.h"

static uint64_t decisions(const struct scenario *scenario)
{
	struct sim_result *result;
	char why[ADMISSION_WHY_BYTES];

	assert_int_equal(sim_run(scenario, &rule_vgpud, scenario->seed, NULL, &result, why), 0);
	uint64_t hash = result->decisions_hash;
	sim_result_destroy(result);
	return hash;
}

static void a_written_scenario_decides_as_the_first(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct random_scenario random;
		struct scenario *again;
		char why[SCENARIO_WHY_BYTES] = "", *text = NULL;
		size_t bytes;
		random_scenario_init(&random, (enum random_kind)(seed % 3), seed);
		FILE *file = open_memstream(&text, &bytes);
		scenario_write(file, &random.scenario);
		fclose(file);
		if (scenario_parse(text, bytes, ".", NULL, &again, why))
			fail_msg("seed %llu: %s", (unsigned long long)seed, why);
		assert_true(decisions(again) == decisions(&random.scenario));
		scenario_destroy(again);
		free(text);
	}
}

static void bad_fields_are_named_with_what_would_do(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "not valid JSON"},
		{"[]", "must be a JSON object"},
		{"{}", "'vgpus' must be an array of 1 to"},
		{"{\"vgpus\": []}", "'vgpus' must be an array of 1 to"},
		{"{\"vgpus\": [{\"kernel\": 50}]}", "vgpus[0]: 'name' is missing"},
		{"{\"vgpus\": [{\"name\": \"a\"}]}", "vgpus[0] kernel: a length is missing"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 0}]}", "vgpus[0] kernel is 0 us; it must be from 1"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5, \"wieght\": 3}]}", "did you mean 'weight'?"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5, \"weight\": 65537}]}", "'weight' is 65537; it must be from 1 to 65536"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": {\"kind\": \"unifrom\"}}]}", "did you mean uniform?"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": {\"kind\": \"uniform\", \"from_us\": 9, \"to_us\": 3}}]}", "swap them"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5, \"budget_us\": 100}]}", "needs the class realtime"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5, \"class\": \"fast\"}]}", "it must be one of: normal, realtime, idle"},
		{"{\"vgpus\": [{\"name\": \"a\", \"count\": 2, \"kernel\": 5, \"reservation_permille\": 600}]}", "30 % would fit"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5}, {\"name\": \"a\", \"kernel\": 5}]}", "there is a vGPU 'a' already"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5}], \"edits\": [{\"at_us\": 5, \"vgpu\": \"b\"}]}", "edits[0]: there is no vGPU 'b'"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5}], \"gpu\": {\"leases\": 0}}", "gpu: 'leases' is 0"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5}], \"gpu\": {\"policy\": \"fixed-share\", \"slots\": 0}}", "gpu: 'slots' is 0"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5}], \"gpu\": {\"slice_min_us\": 9000}}", "the shortest slice"},
		{"{\"vgpus\": [{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\"}}]}", "there is no recorded work of 'a'"},
		{"{\"vgpus\": [{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\", \"records_ns\": 5}}]}", "must be a list of [at, kernel, length]"},
		{"{\"vgpus\": [{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\", \"records_ns\": []}}]}", "there is no recorded work of 'a'"},
		{"{\"vgpus\": [{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\", \"records_ns\": [[5, 1, 9], [4, 1, 9]]}}]}", "records_ns[1] must be"},
		{"{\"vgpus\": [{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\", \"records_ns\": [[5, 1, 0]]}}]}", "records_ns[0] must be"},
		{"{\"vgpus\": [{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\", \"records_ns\": [[5, -1, 7]]}}]}", "records_ns[0] must be"},
		{"{\"vgpus\": [{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\", \"records_ns\": [[5, 1]]}}]}", "records_ns[0] must be"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5, \"arrival\": {\"kind\": \"think\", \"gap\": 5, \"records_ns\": [[5, 1, 7]]}}]}", "records_ns"},
		{"{\"vgpus\": [{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\", \"records_ns\": [[5, 1, 7]]}}, "
		 "{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\", \"records_ns\": [[5, 1, 7]]}}]}", "recorded work of 'a' already"},
		{"{\"vgpus\": [{\"name\": \"a\", \"kernel\": 5}], \"trace\": \"no-such-file\"}", "cannot read the trace"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scenario *scenario = NULL;
		char why[SCENARIO_WHY_BYTES] = "";
		assert_int_not_equal(scenario_parse(cases[i].text, strlen(cases[i].text), ".", NULL, &scenario, why), 0);
		assert_null(scenario);
		if (!strstr(why, cases[i].why))
			fail_msg("%s: '%s' does not say '%s'", cases[i].text, why, cases[i].why);
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void a_recorded_trace_is_replayed(void **state)
{
	static const char *const text = "{\"trace\": \"t.csv\", \"duration_us\": 1000000, \"vgpus\": ["
		"{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\"}}, {\"name\": \"b\", \"kernel\": 2000}]}";
	char folder[] = "/tmp/scenarioXXXXXX", path[64], why[SCENARIO_WHY_BYTES];
	struct scenario *scenario;
	struct sim_result *result;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.csv", folder);
	write_file(path, "at_us,vgpu,kernel,length_us\n1000,a,7,300\n2000.5,x,1,1\n500000,a,7,250.5\n");
	assert_int_equal(scenario_parse(text, strlen(text), folder, NULL, &scenario, why), 0);
	assert_int_equal(sim_run(scenario, &rule_vgpud, 1, NULL, &result, why), 0);
	assert_int_equal(result->members[0].kernels, 2);
	assert_int_equal(result->members[0].served_ns, 550500);
	sim_result_destroy(result);
	scenario_destroy(scenario);
	write_file(path, "1000,a,7,300\n900,a,7,250\n");
	assert_int_not_equal(scenario_parse(text, strlen(text), folder, NULL, &scenario, why), 0);
	assert_non_null(strstr(why, "line 2"));
	assert_non_null(strstr(why, "goes back"));
	write_file(path, "1000,a,seven,300\n");
	assert_int_not_equal(scenario_parse(text, strlen(text), folder, NULL, &scenario, why), 0);
	assert_non_null(strstr(why, "it must read at_us,vgpu,kernel,length_us"));
	unlink(path);
	rmdir(folder);
}

static void recorded_work_within_a_scenario_is_replayed_and_written_again(void **state)
{
	static const char *const text = "{\"duration_us\": 1000000, \"vgpus\": [{\"name\": \"a\", \"arrival\": {\"kind\": \"trace\", "
		"\"records_ns\": [[1000, 7, 300001], [1000, 9, 1], [500000000, 7, 250000]]}}, {\"name\": \"b\", \"kernel\": 2000}]}";
	char why[SCENARIO_WHY_BYTES] = "", *written = NULL;
	struct scenario *scenario, *again;
	struct sim_result *result;
	size_t bytes;

	(void)state;
	assert_int_equal(scenario_parse(text, strlen(text), ".", NULL, &scenario, why), 0);
	assert_int_equal(sim_run(scenario, &rule_vgpud, 1, NULL, &result, why), 0);
	assert_int_equal(result->members[0].kernels, 3);
	assert_int_equal(result->members[0].served_ns, 550002);
	sim_result_destroy(result);
	FILE *file = open_memstream(&written, &bytes);
	scenario_write(file, scenario);
	fclose(file);
	assert_int_equal(scenario_parse(written, bytes, ".", NULL, &again, why), 0);
	assert_int_equal(again->members[0].load.record_count, 3);
	assert_int_equal(again->members[0].load.records[0].length_ns, 300001);
	assert_int_equal(again->members[0].load.records[1].kernel_id, 9);
	assert_true(decisions(again) == decisions(scenario));
	scenario_destroy(again);
	scenario_destroy(scenario);
	free(written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_written_scenario_decides_as_the_first),
		cmocka_unit_test(bad_fields_are_named_with_what_would_do),
		cmocka_unit_test(a_recorded_trace_is_replayed),
		cmocka_unit_test(recorded_work_within_a_scenario_is_replayed_and_written_again),
	};

	return cmocka_run_group_tests_name("scenario files", tests, NULL, NULL);
}
