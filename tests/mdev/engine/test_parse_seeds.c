/* SPDX-License-Identifier: MIT */
/* The seeds of the record parser's fuzz target (tests/fuzz/seeds/wire_parse): nothing that the parser takes is without one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CL/cl.h>

#include "tests/mdev/engine/wire_records.h"

static unsigned seeds_of[WIRE_OPCODE_COUNT], args_of[WIRE_ARG_SVM + 1];

/* A header alone is too short for any opcode that has a meaning, and no operation for one that has none. */
static bool is_assigned(uint16_t opcode)
{
	const struct parse_limits limits = records_limits(true);
	_Alignas(8) struct wire_header header = {.opcode = opcode, .bytes = sizeof(header), .sequence = 1};
	struct parsed parsed;

	return parse_record(&header, sizeof(header), &limits, &parsed) != CL_INVALID_OPERATION;
}

/* A seed: the device's kind, then a record. */
static void count_seed(const char *path)
{
	_Alignas(8) uint8_t record[WIRE_RECORD_MAX_BYTES];
	struct parsed parsed;
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	const struct parse_limits limits = records_limits(fgetc(file) & 1);
	size_t bytes = fread(record, 1, sizeof(record), file) & ~(size_t)7;
	fclose(file);
	if (bytes < sizeof(struct wire_header) || parse_record(record, bytes, &limits, &parsed))
		return;
	seeds_of[((const struct wire_header *)(const void *)record)->opcode]++;	/* some are parsed into another's values */
	for (uint32_t i = 0; parsed.opcode == WIRE_NDRANGE && i < parsed.ndrange.arg_count; i++)
		args_of[parsed.ndrange.args[i].kind]++;
}

static int count_seeds(void **state)
{
	char at[PATH_MAX] = {0}, folder[PATH_MAX + 64], path[PATH_MAX + 400];
	char *slash;
	DIR *dir = NULL;

	(void)state;
	if (readlink("/proc/self/exe", at, sizeof(at) - 1) < 0)
		return -1;
	while (!dir && (slash = strrchr(at, '/'))) {
		*slash = '\0';
		snprintf(folder, sizeof(folder), "%s/tests/fuzz/seeds/wire_parse", at);
		dir = opendir(folder);
	}
	if (!dir)
		return -1;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		count_seed(path);
	}
	closedir(dir);
	return 0;
}

static void each_opcode_has_a_seed_that_is_parsed(void **state)
{
	unsigned assigned = 0, without = 0;

	(void)state;
	for (uint16_t opcode = WIRE_NOP + 1; opcode < WIRE_OPCODE_COUNT; opcode++) {
		if (!is_assigned(opcode))
			continue;
		assigned++;
		if (!seeds_of[opcode]) {
			print_error("opcode %u has no seed that the parser takes\n", opcode);
			without++;
		}
	}
	assert_in_range(assigned, 15, WIRE_OPCODE_COUNT);	/* version 1 has fifteen */
	assert_int_equal(without, 0);
}

static void each_kind_of_argument_has_a_seed(void **state)
{
	(void)state;
	for (unsigned kind = WIRE_ARG_VALUE; kind <= WIRE_ARG_SVM; kind++)
		if (!args_of[kind])
			fail_msg("no seed has an argument of kind %u", kind);
}

static void each_opcode_has_a_valid_record_in_the_tests(void **state)
{
	_Alignas(8) uint8_t record[WIRE_RECORD_MAX_BYTES];
	const struct parse_limits limits = records_limits(true);
	struct parsed parsed;

	(void)state;
	for (uint16_t opcode = WIRE_NOP + 1; opcode < WIRE_OPCODE_COUNT; opcode++) {
		if (!is_assigned(opcode))
			continue;
		memset(record, 0, sizeof(record));
		size_t bytes = records_valid(opcode, true, record);
		if (parse_record(record, bytes, &limits, &parsed))
			fail_msg("opcode %u: the valid record of wire_records.c is refused", opcode);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_opcode_has_a_seed_that_is_parsed),
		cmocka_unit_test(each_kind_of_argument_has_a_seed),
		cmocka_unit_test(each_opcode_has_a_valid_record_in_the_tests),
	};

	return cmocka_run_group_tests_name("parse_seeds", tests, count_seeds, NULL);
}
