// SPDX-License-Identifier: MIT
/* benchmarks/json.c: what it writes, byte by byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "benchmarks/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct written {
	struct json json;
	char *text;
	size_t length;
};

static void begin(struct written *written, bool pretty)
{
	FILE *out = open_memstream(&written->text, &written->length);

	assert_non_null(out);
	json_init(&written->json, out, pretty);
}

static void expect(struct written *written, const char *text)
{
	assert_int_equal(json_finish(&written->json), 0);
	fclose(written->json.out);
	assert_string_equal(written->text, text);
	free(written->text);
}

static void strings_are_escaped(void **state)
{
	static const struct {
		const char *value, *text;
	} cases[] = {
		{ "", "\"\"\n" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"\n" },
		{ "\n\t", "\"\\n\\t\"\n" },
		{ "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"\n" },
		{ "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"\n" },
		{ "\xe9t\xe9", "\"\\ufffdt\\ufffd\"\n" },			/* Latin-1 */
		{ "\xc0\xaf", "\"\\ufffd\\ufffd\"\n" },				/* overlong */
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"\n" },		/* surrogate */
		{ "\xe2\x82", "\"\\ufffd\\ufffd\"\n" },				/* cut short */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct written written;

		begin(&written, false);
		json_string(&written.json, NULL, cases[i].value);
		expect(&written, cases[i].text);
	}
}

static void keys_are_escaped(void **state)
{
	struct written written;

	(void)state;
	begin(&written, false);
	json_object(&written.json, NULL);
	json_uint(&written.json, "a\"b", 1);
	json_end(&written.json);
	expect(&written, "{\"a\\\"b\":1}\n");
}

static void numbers_that_json_lacks_are_null(void **state)
{
	struct written written;

	(void)state;
	begin(&written, false);
	json_array(&written.json, NULL);
	json_number(&written.json, NULL, 1.5);
	json_number(&written.json, NULL, -0.001);
	json_number(&written.json, NULL, NAN);
	json_number(&written.json, NULL, INFINITY);
	json_uint(&written.json, NULL, UINT64_MAX);
	json_string(&written.json, NULL, NULL);
	json_null(&written.json, NULL);
	json_bool(&written.json, NULL, true);
	json_end(&written.json);
	expect(&written, "[1.5,-0.001,null,null,18446744073709551615,null,null,true]\n");
}

static void nesting_is_indented_and_separated(void **state)
{
	struct written written;

	(void)state;
	begin(&written, true);
	json_object(&written.json, NULL);
	json_array(&written.json, "empty");
	json_end(&written.json);
	json_array(&written.json, "rows");
	json_object(&written.json, NULL);
	json_uint(&written.json, "a", 1);
	json_uint(&written.json, "b", 2);
	json_end(&written.json);
	json_end(&written.json);
	json_end(&written.json);
	expect(&written, "{\n  \"empty\": [],\n  \"rows\": [\n    {\n      \"a\": 1,\n      \"b\": 2\n    }\n"
		"  ]\n}\n");
}

static void a_full_disk_is_reported(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	struct json json;

	(void)state;
	assert_non_null(full);
	json_init(&json, full, false);
	json_uint(&json, NULL, 1);
	assert_int_equal(json_finish(&json), -EIO);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(keys_are_escaped),
		cmocka_unit_test(numbers_that_json_lacks_are_null),
		cmocka_unit_test(nesting_is_indented_and_separated),
		cmocka_unit_test(a_full_disk_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
