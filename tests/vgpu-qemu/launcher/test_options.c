/* SPDX-License-Identifier: MIT */
/* The command line of vgpu-run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "vgpu-qemu/launcher/options.h"

/* Parses "vgpu-run" and the words given, up to NULL. */
static int parse(struct options *options, char *error, const char *first, ...)
{
	static char *argv[32];
	int argc = 0;
	va_list words;

	argv[argc++] = (char *)"vgpu-run";
	va_start(words, first);
	for (const char *word = first; word; word = va_arg(words, const char *))
		argv[argc++] = (char *)word;
	va_end(words);
	argv[argc] = NULL;
	error[0] = '\0';
	return options_parse(argc, argv, options, error, 256);
}

static void command_follows_the_options(void **state)
{
	struct options options;
	char error[256];

	(void)state;
	assert_int_equal(parse(&options, error, "--vgpu", "vm1", "--", "ls", "-l", "--vgpu", NULL), 0);
	assert_int_equal(options.vgpus.count, 1);
	assert_string_equal(options.vgpus.items[0], "vm1");
	assert_string_equal(options.command[0], "ls");
	assert_string_equal(options.command[2], "--vgpu");
	assert_null(options.command[3]);
	assert_true(options.memory_bytes == 512ULL << 20);
	assert_int_equal(options.cpus, 1);
	options_finish(&options);
	/* Also without "--". */
	assert_int_equal(parse(&options, error, "-v", "ls", "-v", NULL), 0);
	assert_true(options.verbose);
	assert_string_equal(options.command[1], "-v");
	options_finish(&options);
}

static void repeated_options_keep_their_order(void **state)
{
	struct options options;
	char error[256];

	(void)state;
	assert_int_equal(parse(&options, error, "--initrd", "a", "--file", "x:/y", "--initrd", "b", "--vfio-user", "s1",
			       "--vfio-user", "s2", "--", "true", NULL), 0);
	assert_int_equal(options.initrds.count, 2);
	assert_string_equal(options.initrds.items[1], "b");
	assert_string_equal(options.vfio_users.items[0], "s1");
	assert_string_equal(options.vfio_users.items[1], "s2");
	assert_string_equal(options.files.items[0], "x:/y");
	options_finish(&options);
}

static void bad_values_say_what_would_work(void **state)
{
	static const struct {
		const char *option, *value, *hint;
	} cases[] = {
		{ "--memory", "512", "512M or 2G" }, { "--memory", "64M", "128M" }, { "--memory", "0x10M", "512M" },
		{ "--memory", "-1M", "512M" },       { "--memory", "99999999999999999999G", "1T" },
		{ "--memory", "512M ", "512M" },     { "--cpus", "0", "1 to" },     { "--cpus", "many", "1 to" },
		{ "--timeout", "0", "seconds" },     { "--timeout", "-5", "seconds" }, { "--boot-timeout", "1.5", "seconds" },
		{ "--accel", "xen", "auto, kvm, tcg" }, { "--file", "a", "SRC:DST" },  { "--file", "a:b", "absolute" },
		{ "--file", ":/b", "SRC:DST" },      { "--file", "a:/x/../../b", "SRC:DST" }, { "--file", "a:/x/", "SRC:DST" },
	};
	struct options options;
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(&options, error, cases[i].option, cases[i].value, "--", "true", NULL), -EINVAL);
		if (!strstr(error, cases[i].hint))
			fail_msg("%s %s: '%s' does not say '%s'", cases[i].option, cases[i].value, error, cases[i].hint);
	}
}

static void missing_parts_are_named(void **state)
{
	struct options options;
	char error[256];

	(void)state;
	assert_int_equal(parse(&options, error, "--vgpu", "x", NULL), -EINVAL);
	assert_non_null(strstr(error, "no command"));
	assert_int_equal(parse(&options, error, "--vgpu", NULL), -EINVAL);
	assert_non_null(strstr(error, "--vgpu"));
	assert_int_equal(parse(&options, error, "--vpgu", "x", NULL), -EINVAL);
	assert_non_null(strstr(error, "--vpgu"));
	assert_int_equal(parse(&options, error, "--help", NULL), 0);
	assert_int_equal(options.action, OPTIONS_HELP);
	options_finish(&options);
}

static void memory_sizes(void **state)
{
	uint64_t bytes = 7;

	(void)state;
	assert_int_equal(parse_memory("1073741824", &bytes), 0);
	assert_true(bytes == 1ULL << 30);
	assert_int_equal(parse_memory("3G", &bytes), 0);
	assert_true(bytes == 3ULL << 30);
	bytes = 7;
	assert_int_equal(parse_memory("", &bytes), -EINVAL);
	assert_int_equal(parse_memory("G", &bytes), -EINVAL);
	assert_int_equal(parse_memory("1MM", &bytes), -EINVAL);
	assert_int_equal(parse_memory("18446744073709551615K", &bytes), -ERANGE);
	assert_int_equal(parse_memory("16777216T", &bytes), -ERANGE);
	assert_true(bytes == 7); /* outputs are untouched on failure */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_follows_the_options),
		cmocka_unit_test(repeated_options_keep_their_order),
		cmocka_unit_test(bad_values_say_what_would_work),
		cmocka_unit_test(missing_parts_are_named),
		cmocka_unit_test(memory_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
