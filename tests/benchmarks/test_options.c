// SPDX-License-Identifier: MIT
/* benchmarks/options.c: what a command line means, and what is said of a wrong one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "benchmarks/options.h"

#include <errno.h>
#include <string.h>

#define ARGS_MAX 32

/* Splits at spaces: no argument here holds one. */
static int parse(const char *line, struct options *ret_options, char *reason, size_t reason_size)
{
	static char storage[512];	/* the options point into it */
	char *argv[ARGS_MAX + 1] = { NULL }, *rest = NULL;
	int argc = 0;

	snprintf(storage, sizeof(storage), "vgpu-bench %s", line);
	for (char *arg = strtok_r(storage, " ", &rest); arg; arg = strtok_r(NULL, " ", &rest)) {
		assert_true(argc < ARGS_MAX);
		argv[argc++] = arg;
	}
	return options_parse(argc, argv, ret_options, reason, reason_size);
}

static void defaults_are_the_whole_set_in_medium(void **state)
{
	struct options options;
	char reason[512];

	(void)state;
	assert_int_equal(parse("", &options, reason, sizeof(reason)), 0);
	assert_int_equal(options.chosen_count, bench_kernel_count);
	for (unsigned i = 0; i < bench_kernel_count; i++) {
		assert_ptr_equal(options.chosen[i].kernel, bench_kernels[i]);
		assert_int_equal(options.chosen[i].param[0], bench_kernels[i]->params[0].value[BENCH_MEDIUM]);
	}
	assert_int_equal(options.repeat, 20);
	assert_null(options.platform);
	assert_false(options.inject_fault);
}

static void the_set_fits_its_table(void **state)
{
	(void)state;
	assert_true(bench_kernel_count <= KERNELS_MAX);
}

static void options_are_taken(void **state)
{
	struct options options;
	char reason[512];

	(void)state;
	assert_int_equal(parse("--kernel nbody,vecadd --size small --repeat 3 --warmup 0 --platform Port --device 1 "
		"--seed 99 --json out.json --format csv --progress --inject-fault", &options, reason,
		sizeof(reason)), 0);
	assert_int_equal(options.chosen_count, 2);
	assert_string_equal(options.chosen[0].kernel->name, "nbody");
	assert_string_equal(options.chosen[1].kernel->name, "vecadd");
	assert_int_equal(options.chosen[1].param[0], options.chosen[1].kernel->params[0].value[BENCH_SMALL]);
	assert_int_equal(options.repeat, 3);
	assert_int_equal(options.warmup, 0);
	assert_string_equal(options.platform, "Port");
	assert_string_equal(options.device, "1");
	assert_int_equal(options.seed, 99);
	assert_string_equal(options.json_path, "out.json");
	assert_int_equal(options.format, REPORT_CSV);
	assert_true(options.progress && options.inject_fault);
}

static void a_parameter_beats_the_preset_wherever_it_stands(void **state)
{
	struct options options;
	char reason[512];

	(void)state;
	assert_int_equal(parse("--param sgemm.n=33 --param sgemm.tile=4 --kernel sgemm --size large", &options,
		reason, sizeof(reason)), 0);
	assert_int_equal(options.chosen[0].param[0], 33);
	assert_int_equal(options.chosen[0].param[1], 4);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *line, *named;
	} cases[] = {
		{ "--kernel fft", "'fft'; choose from vecadd, sgemm" },
		{ "--kernel sgemm,", "no kernel ''" },
		{ "--kernel sgemm,sgemm", "'sgemm' twice" },
		{ "--size huge", "small, medium or large" },
		{ "--repeat 0", "--repeat is '0'" },
		{ "--repeat ten", "--repeat is 'ten'" },
		{ "--repeat -1", "--repeat is '-1'" },
		{ "--repeat", "--repeat needs a value" },
		{ "--seed 18446744073709551616", "--seed" },
		{ "--format xml", "table, json or csv" },
		{ "--param sgemm", "KERNEL.PARAMETER=NUMBER" },
		{ "--param sgemm=3", "KERNEL.PARAMETER=NUMBER" },
		{ "--param sgemm.m=3", "no parameter 'm'" },
		{ "--param sgemm.n=", "from 1 to 8192" },
		{ "--param sgemm.n=0", "from 1 to 8192" },
		{ "--param sgemm.n=8193", "from 1 to 8192" },
		{ "--param sgemm.n=5x", "from 1 to 8192" },
		{ "--kernel vecadd --param sgemm.n=5", "--kernel does not name" },
		{ "--frobnicate", "'--frobnicate'" },
		{ "sgemm", "'sgemm' is not an option" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options options = { .repeat = 12345 };
		char reason[512] = "";

		assert_int_equal(parse(cases[i].line, &options, reason, sizeof(reason)), -EINVAL);
		if (!strstr(reason, cases[i].named))
			fail_msg("'%s' gives '%s', which does not hold '%s'", cases[i].line, reason,
				cases[i].named);
		assert_int_equal(options.repeat, 12345);	/* untouched */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_whole_set_in_medium),
		cmocka_unit_test(the_set_fits_its_table),
		cmocka_unit_test(options_are_taken),
		cmocka_unit_test(a_parameter_beats_the_preset_wherever_it_stands),
		cmocka_unit_test(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
