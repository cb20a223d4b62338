/* SPDX-License-Identifier: MIT */
#include "tools/vgpu-admin/scheduling.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mdev/quantity.h"
#include "scheduler/entity.h"
#include "scheduler/run_queue.h"

#define HOUR_NS 3600000000000ull
#define MS_NS 1000000u
#define NO_NONE UINT64_MAX

enum kind { KIND_WORD, KIND_COUNT, KIND_PERCENT, KIND_TIME };

/*
 * In the order of the bits from OPT_SCHEDULING_FIRST on. Bounds are those of the number by itself; the service knows the rest, and the words.
 * none: what the word "none" means, also if it is out of bounds; with 0, "0" is the same.
 */
static const struct option_row {
	const char *key;
	enum kind kind;
	uint64_t least, most, none;
	uint64_t unit_ns;	/* of the key, for times */
} rows[OPT_SCHEDULING_COUNT] = {
	{"weight", KIND_COUNT, ENTITY_WEIGHT_MIN, ENTITY_WEIGHT_MAX, NO_NONE, 0},
	{"cap_ppm", KIND_PERCENT, ENTITY_CAP_PPM_MIN, ENTITY_WHOLE_PPM, ENTITY_WHOLE_PPM, 0},
	{"burst_ns", KIND_TIME, ENTITY_BURST_NS_MIN, ENTITY_BURST_NS_MAX, NO_NONE, 1},
	{"reservation_ppm", KIND_PERCENT, 0, ENTITY_WHOLE_PPM, 0, 0},
	{"class", KIND_WORD, 0, 0, NO_NONE, 0},
	{"budget_ns", KIND_TIME, ENTITY_BUDGET_NS_MIN, ENTITY_PERIOD_NS_MAX, 0, 1},
	{"period_ns", KIND_TIME, ENTITY_PERIOD_NS_MIN, ENTITY_PERIOD_NS_MAX, 0, 1},
	{"slice_ns", KIND_TIME, ENTITY_SLICE_NS_MIN, ENTITY_SLICE_NS_MAX, 0, 1},
	{"hang_timeout_ms", KIND_TIME, 10 * MS_NS, HOUR_NS, 0, MS_NS},
	{"policy", KIND_WORD, 0, 0, NO_NONE, 0},
	{"slots", KIND_COUNT, 1, RUN_QUEUE_SLOTS_MAX, NO_NONE, 0},
	{"averaging", KIND_COUNT, 1, RUN_QUEUE_AVERAGING_MAX, NO_NONE, 0},
	{"target_latency_ns", KIND_TIME, ENTITY_SLICE_NS_MIN, RUN_QUEUE_TARGET_LATENCY_NS_MAX, NO_NONE, 1},
	{"slice_max_ns", KIND_TIME, ENTITY_SLICE_NS_MIN, ENTITY_SLICE_NS_MAX, NO_NONE, 1},
	{"leases", KIND_COUNT, 1, RUN_QUEUE_LEASES_MAX, NO_NONE, 0},
};

static int check_bounds(const struct option_row *row, const char *value, uint64_t number, char ret_why[256])
{
	const char *(*const format)(uint64_t, char *, size_t) = row->kind == KIND_TIME ? quantity_format_time : quantity_format_percent;
	const char *or_none = row->none == NO_NONE ? "" : ", or none";
	char least[48], most[48];

	if (number == row->none || (number >= row->least && number <= row->most)) {
		if (row->kind != KIND_TIME || number % row->unit_ns == 0)
			return 0;
		snprintf(ret_why, 256, "'%.40s' is not whole milliseconds; round it", value);
		return -EINVAL;
	}
	snprintf(ret_why, 256, "it is '%.40s', but must be from %s to %s%s", value, format(row->least, least, sizeof(least)),
		 format(row->most, most, sizeof(most)), or_none);
	return -EINVAL;
}

int scheduling_take(uint64_t option, const char *value, struct arguments *arguments, char ret_why[256])
{
	const struct option_row *row;
	unsigned index = 0;
	uint64_t number = 0;
	int error = 0;

	while (index < OPT_SCHEDULING_COUNT && option != 1ull << (OPT_SCHEDULING_FIRST + index))
		index++;
	if (index == OPT_SCHEDULING_COUNT)
		return 0;
	row = &rows[index];
	if (row->none != NO_NONE && !strcmp(value, "none")) {
		arguments->scheduling[index].number = row->none / (row->unit_ns ? row->unit_ns : 1);
		return 0;
	}
	switch (row->kind) {
	case KIND_WORD:
		arguments->scheduling[index].word = value;
		return 0;
	case KIND_COUNT:
		error = quantity_parse_count("it", value, row->least, row->most, &number, ret_why);
		break;
	case KIND_PERCENT:
		error = quantity_parse_percent(value, &number, ret_why);
		break;
	case KIND_TIME:
		error = quantity_parse_time(value, &number, ret_why);
		break;
	}
	if (!error && row->kind != KIND_COUNT)
		error = check_bounds(row, value, number, ret_why);
	if (!error)
		arguments->scheduling[index].number = row->unit_ns ? number / row->unit_ns : number;
	return error;
}

bool scheduling_add(const struct arguments *arguments, json_t *body)
{
	for (unsigned i = 0; i < OPT_SCHEDULING_COUNT; i++) {
		if (!(arguments->given & 1ull << (OPT_SCHEDULING_FIRST + i)))
			continue;
		json_t *value = rows[i].kind == KIND_WORD ? json_string(arguments->scheduling[i].word)
							  : json_integer((json_int_t)arguments->scheduling[i].number);
		if (json_object_set_new(body, rows[i].key, value))
			return false;
	}
	return true;
}
