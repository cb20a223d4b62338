// SPDX-License-Identifier: MIT
/* benchmarks/path: lines between processes, environments, rows and aims. No OpenCL device needed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "benchmarks/json.h"
#include "benchmarks/path/path_options.h"
#include "benchmarks/path/rows.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE_LINE "{\"platform\":\"P \\\"q\\\" \\u0001\\ufffd\"," \
	"\"platform_version\":\"v\",\"device\":\"d\",\"device_version\":\"dv\",\"driver_version\":\"1.2\"}"
#define SAMPLES_LINE "{\"name\":\"write_1MiB\",\"unit\":\"us\",\"higher_is_better\":false,\"samples\":[3,1.5,2e3]}"
#define SKIPPED_LINE "{\"name\":\"write_256MiB\",\"skipped\":\"larger than --max-bytes 1\"}"

static void lines_are_read_back(void **state)
{
	struct line line;

	(void)state;
	assert_int_equal(line_parse(DEVICE_LINE "\n", &line), 0);
	assert_int_equal(line.kind, LINE_DEVICE);
	assert_string_equal(line.device.platform, "P \"q\" \x01?");
	assert_string_equal(line.device.driver_version, "1.2");

	assert_int_equal(line_parse(SKIPPED_LINE, &line), 0);
	assert_int_equal(line.kind, LINE_SKIPPED);
	assert_string_equal(line.name, "write_256MiB");

	assert_int_equal(line_parse(SAMPLES_LINE, &line), 0);
	assert_int_equal(line.kind, LINE_SAMPLES);
	assert_string_equal(line.unit, "us");
	assert_false(line.higher_is_better);
	assert_int_equal(line.samples.count, 3);
	assert_true(line.samples.value[0] == 3 && line.samples.value[1] == 1.5 && line.samples.value[2] == 2000);
	line_finish(&line);
}

static void the_writer_and_the_reader_agree(void **state)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	struct json json;
	struct line line;

	(void)state;
	json_init(&json, out, false);
	json_object(&json, NULL);
	json_string(&json, "name", "a\\b\"c\n");
	json_string(&json, "unit", "kernels/s");
	json_bool(&json, "higher_is_better", true);
	json_array(&json, "samples");
	for (int i = 1; i <= 1000; i++)
		json_number(&json, NULL, 1.0 / i);
	json_end(&json);
	json_end(&json);
	assert_int_equal(json_finish(&json), 0);
	fclose(out);

	assert_int_equal(line_parse(text, &line), 0);
	assert_string_equal(line.name, "a\\b\"c\n");
	assert_true(line.higher_is_better);
	assert_int_equal(line.samples.count, 1000);
	assert_true(fabs(line.samples.value[6] - 1.0 / 7) < 1e-9);
	line_finish(&line);
	free(text);
}

/* In memory of exactly its length, so that a sanitizer sees any read beyond. */
static void every_prefix_of_a_line_is_refused(void **state)
{
	static const char *const lines[] = { DEVICE_LINE, SAMPLES_LINE, SKIPPED_LINE };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (size_t length = 0; length < strlen(lines[i]); length++) {
			char *prefix = strndup(lines[i], length);
			struct line line = { .kind = 77 };

			assert_non_null(prefix);
			assert_int_equal(line_parse(prefix, &line), -EINVAL);
			assert_int_equal(line.kind, 77);	/* untouched */
			free(prefix);
		}
	}
}

static void other_text_is_refused(void **state)
{
	static const char *const lines[] = {
		"hello from a kernel",
		SAMPLES_LINE "x",
		"{\"name\":\"a\",\"unit\":\"us\",\"higher_is_better\":false,\"samples\":[]}",
		"{\"name\":\"a\",\"unit\":\"us\",\"higher_is_better\":false,\"samples\":[null]}",
		"{\"name\":\"a\",\"unit\":\"us\",\"higher_is_better\":false,\"samples\":[1,]}",
		"{\"name\":\"a\",\"unit\":\"us\",\"higher_is_better\":false,\"samples\":[1e999]}",
		"{\"name\":\"a\",\"unit\":\"us\",\"higher_is_better\":0,\"samples\":[1]}",
		"{\"name\":\"a\\q\",\"skipped\":\"b\"}",
		"{\"name\":\"a\\u00g1\",\"skipped\":\"b\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct line line;

		assert_int_equal(line_parse(lines[i], &line), -EINVAL);
	}
}

static void environments_are_split_at_commas(void **state)
{
	struct environment environment = { 0 };
	char reason[256];

	(void)state;
	assert_int_equal(environment_parse("A=1,B=x\\,y,C=a\\\\b=c,D=", &environment, reason,
		sizeof(reason)), 0);
	assert_int_equal(environment.count, 4);
	assert_string_equal(environment.entry[0], "A=1");
	assert_string_equal(environment.entry[1], "B=x,y");
	assert_string_equal(environment.entry[2], "C=a\\b=c");
	assert_string_equal(environment.entry[3], "D=");
	assert_int_equal(environment_parse("E=5", &environment, reason, sizeof(reason)), 0);
	assert_int_equal(environment.count, 5);
	assert_int_equal(environment_parse("F", &environment, reason, sizeof(reason)), -EINVAL);
	assert_non_null(strstr(reason, "'F' is not NAME=VALUE"));
	assert_int_equal(environment_parse("=1", &environment, reason, sizeof(reason)), -EINVAL);
	assert_int_equal(environment_parse(",", &environment, reason, sizeof(reason)), -EINVAL);
	environment_finish(&environment);
}

static void a_list_names_whole_items_only(void **state)
{
	(void)state;
	assert_true(list_names(NULL, "anything", "set"));
	assert_true(list_names("a,write_1MiB", "write_1MiB", "transfers"));
	assert_true(list_names("a,transfers", "write_1MiB", "transfers"));
	assert_false(list_names("a,write_16MiB", "write_1MiB", "transfers"));
	assert_false(list_names("write_1MiB", "write_16MiB", "transfers"));
	assert_false(list_names("", "a", "set"));
}

static void command_lines_of_both_verbs(void **state)
{
	const char *compare_args[] = { "compare", "--native-env", "A=1", "--native-env", "B=2", "--launches", "3",
		"--max-bytes", "0", "--vgpu-platform", "vgpu", NULL };
	const char *side_with_compare_option[] = { "side", "--launches", "3", NULL };
	const char *compare_with_platform[] = { "compare", "--native-env", "A=1", "--platform", "x", NULL };
	const char *too_many_launches[] = { "compare", "--launches", "33", NULL };
	struct compare_options options;
	struct side_options side;
	char reason[256];

	(void)state;
	assert_int_equal(compare_options_parse(11, (char **)compare_args, &options, reason, sizeof(reason)), 0);
	assert_int_equal(options.native.count, 2);
	assert_int_equal(options.launches, 3);
	assert_int_equal(options.side.max_bytes, 0);
	assert_string_equal(options.vgpu_platform, "vgpu");
	compare_options_finish(&options);
	assert_int_equal(side_options_parse(3, (char **)side_with_compare_option, &side, reason, sizeof(reason)),
		-EINVAL);
	assert_int_equal(compare_options_parse(5, (char **)compare_with_platform, &options, reason, sizeof(reason)),
		-EINVAL);
	assert_non_null(strstr(reason, "--native-platform"));
	assert_int_equal(compare_options_parse(3, (char **)too_many_launches, &options, reason, sizeof(reason)),
		-EINVAL);
	assert_non_null(strstr(reason, "from 1 to 32"));
	/* In the words of vgpu-bench: both are read by one walk. */
	const char *const unknown[] = { "side", "--speed", "3" }, *const valueless[] = { "compare", "--out" };
	assert_int_equal(side_options_parse(3, (char **)unknown, &side, reason, sizeof(reason)), -EINVAL);
	assert_string_equal(reason, "there is no option '--speed', or it takes no value; see --help");
	assert_int_equal(compare_options_parse(2, (char **)valueless, &options, reason, sizeof(reason)), -EINVAL);
	assert_string_equal(reason, "--out needs a value; see --help");
}

static void aims_are_compared(void **state)
{
	bool met = false;

	(void)state;
	assert_int_equal(aim_met(">= 0.97", 0.97, &met), 0);
	assert_true(met);
	assert_int_equal(aim_met(">= 0.97", 0.9699, &met), 0);
	assert_false(met);
	assert_int_equal(aim_met("<= 5", -3, &met), 0);
	assert_true(met);
	assert_int_equal(aim_met("<= 5", 5.01, &met), 0);
	assert_false(met);
	assert_int_equal(aim_met(NULL, 1, &met), -ENODATA);
	assert_int_equal(aim_met("<= 5", NAN, &met), -ENODATA);
	assert_int_equal(aim_met("== 5", 5, &met), -EINVAL);
	assert_int_equal(aim_met("<= ", 5, &met), -EINVAL);
	assert_int_equal(aim_met("<= 5us", 5, &met), -EINVAL);
}

static void add(struct side_results *side, const char *name, bool higher, double first, double second,
	double third)
{
	struct line line = { .kind = LINE_SAMPLES, .higher_is_better = higher };
	const double values[] = { first, second, third };

	snprintf(line.name, sizeof(line.name), "%s", name);
	snprintf(line.unit, sizeof(line.unit), "us");
	for (int i = 0; i < 3; i++) {	/* three launches of one sample each */
		samples_add(&line.samples, values[i]);
		assert_int_equal(results_add(side, &line), 0);
		samples_finish(&line.samples);
	}
}

static const struct row *row(const struct rows *rows, const char *measure, const char *figure)
{
	for (unsigned i = 0; i < rows->count; i++)
		if (!strcmp(rows->row[i].measure, measure) && !strcmp(rows->row[i].figure, figure))
			return &rows->row[i];
	fail_msg("no row %s.%s", measure, figure);
	return NULL;
}

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

static void rows_compare_round_by_round(void **state)
{
	struct side_results *sides = calloc(SIDES, sizeof(*sides));
	struct rows *rows = calloc(1, sizeof(*rows));

	(void)state;
	assert_non_null(sides);
	assert_non_null(rows);
	add(&sides[SIDE_NATIVE], "enqueue_finish", false, 20, 40, 10);
	add(&sides[SIDE_VGPU], "enqueue_finish", false, 25, 50, 14);
	add(&sides[SIDE_CONTROL], "enqueue_finish", false, 16, 16, 16);
	add(&sides[SIDE_NATIVE], "empty_100k", true, 100, 120, 100);
	add(&sides[SIDE_VGPU], "empty_100k", true, 80, 90, 80);
	for (unsigned i = 0; i < bench_kernel_count; i++) {
		char name[64];

		snprintf(name, sizeof(name), "kernel_%s", bench_kernels[i]->name);
		add(&sides[SIDE_NATIVE], name, false, 100, 100, 100);
		add(&sides[SIDE_VGPU], name, false, i % 2 ? 200 : 50, i % 2 ? 200 : 50, i % 2 ? 200 : 50);
	}
	assert_int_equal(rows_build(sides, rows), 0);

	assert_true(near(row(rows, "enqueue_finish", "native")->value, 20));
	assert_true(near(row(rows, "enqueue_finish", "vgpu")->value, 25));
	assert_true(near(row(rows, "enqueue_finish", "ratio")->value, 0.8));
	assert_true(near(row(rows, "enqueue_finish", "control")->value, 20.0 / 16));
	assert_true(near(row(rows, "enqueue_finish", "spread")->value, 100.0 * 30 / 20));
	assert_true(near(row(rows, "enqueue_finish", "difference")->value, 5));
	assert_string_equal(row(rows, "enqueue_finish", "difference")->aim, "<= 0");
	assert_null(row(rows, "enqueue_finish", "native")->aim);
	assert_true(near(row(rows, "enqueue_finish", "best")->value, 10.0 / 14));
	assert_true(near(row(rows, "empty_100k", "ratio")->value, 0.8));
	assert_true(near(row(rows, "empty_100k", "best")->value, 90.0 / 120));
	assert_true(near(row(rows, "set_geomean", "ratio")->value, 1));
	assert_string_equal(row(rows, "set_geomean", "ratio")->aim, ">= 0.98");
	free(rows);
	free(sides);
}

static void what_was_not_measured_on_both_sides_has_no_value(void **state)
{
	struct side_results *sides = calloc(SIDES, sizeof(*sides));
	struct rows *rows = calloc(1, sizeof(*rows));
	struct line skipped;

	(void)state;
	assert_non_null(sides);
	assert_non_null(rows);
	assert_int_equal(line_parse(SKIPPED_LINE, &skipped), 0);
	assert_int_equal(results_add(&sides[SIDE_NATIVE], &skipped), 0);
	add(&sides[SIDE_NATIVE], "enqueue_finish", false, 1, 1, 1);
	add(&sides[SIDE_NATIVE], "kernel_sgemm", false, 1, 1, 1);
	add(&sides[SIDE_VGPU], "kernel_sgemm", false, 1, 1, 1);
	assert_int_equal(rows_build(sides, rows), 0);
	assert_true(isnan(row(rows, "write_256MiB", "native")->value));
	assert_true(isnan(row(rows, "write_256MiB", "spread")->value));
	assert_true(isnan(row(rows, "enqueue_finish", "difference")->value));
	assert_true(isnan(row(rows, "enqueue_finish_basic", "difference")->value));
	assert_true(isnan(row(rows, "set_geomean", "ratio")->value));	/* one kernel is not the set */
	free(rows);
	free(sides);
}

static void more_launches_than_room_are_refused(void **state)
{
	struct side_results *side = calloc(1, sizeof(*side));
	struct line line;

	(void)state;
	assert_non_null(side);
	assert_int_equal(line_parse(SAMPLES_LINE, &line), 0);
	for (int i = 0; i < LAUNCHES_MAX; i++)
		assert_int_equal(results_add(side, &line), 0);
	assert_int_equal(results_add(side, &line), -ENOSPC);
	assert_true(near(side->series[0].median[0], 3));
	assert_true(near(side->series[0].p99[0], 2000));
	line_finish(&line);
	free(side);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_back),
		cmocka_unit_test(the_writer_and_the_reader_agree),
		cmocka_unit_test(every_prefix_of_a_line_is_refused),
		cmocka_unit_test(other_text_is_refused),
		cmocka_unit_test(environments_are_split_at_commas),
		cmocka_unit_test(a_list_names_whole_items_only),
		cmocka_unit_test(command_lines_of_both_verbs),
		cmocka_unit_test(aims_are_compared),
		cmocka_unit_test(rows_compare_round_by_round),
		cmocka_unit_test(what_was_not_measured_on_both_sides_has_no_value),
		cmocka_unit_test(more_launches_than_room_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
