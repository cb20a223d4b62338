/* SPDX-License-Identifier: MIT */
#include "mdev/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int refuse(const char *text, char ret_why[256])
{
	snprintf(ret_why, 256, "'%.40s' is not a size; write a number and a unit, as 512M, 1G or 1.5GiB", text);
	return -EINVAL;
}

int quantity_parse_bytes(const char *text, uint64_t *ret_bytes, char ret_why[256])
{
	static const char units[] = "KMGT";
	const char *at = text;
	uint64_t whole = 0, thousandths = 0, scale = 1000;
	unsigned shift = 0;
	bool is_fraction = false;

	if (!isdigit((unsigned char)*at))
		return refuse(text, ret_why);
	for (; isdigit((unsigned char)*at); at++)
		if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, (uint64_t)(*at - '0'), &whole))
			goto huge;
	if (*at == '.') {
		is_fraction = true;
		at++;
		if (!isdigit((unsigned char)*at))
			return refuse(text, ret_why);
		for (; isdigit((unsigned char)*at); at++) {
			if (scale == 1)
				return refuse(text, ret_why);
			scale /= 10;
			thousandths += (uint64_t)(*at - '0') * scale;
		}
	}
	if (*at == ' ' && at[1])
		at++;
	if (*at) {
		const char *unit = strchr(units, toupper((unsigned char)*at));
		if (unit) {
			shift = 10 * (unsigned)(unit - units + 1);
			at++;
			if (at[0] == 'i' && at[1] == 'B')
				at += 2;
			else if (at[0] == 'B')
				at++;
		} else if (at[0] == 'B') {
			at++;
		}
	}
	if (*at || (is_fraction && !shift))
		return refuse(text, ret_why);
	if (whole > UINT64_MAX >> shift || whole << shift > (uint64_t)INT64_MAX)
		goto huge;
	*ret_bytes = (whole << shift) + (thousandths << shift) / 1000;
	return 0;
huge:
	snprintf(ret_why, 256, "'%.40s' is more than any memory; the largest size is 8388607T", text);
	return -EINVAL;
}

const char *quantity_format_bytes(uint64_t bytes, char *buffer, size_t capacity)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	unsigned unit = 0;
	char number[32];

	while (unit < 4 && bytes >> (10 * (unit + 1)))
		unit++;
	uint64_t one = 1ull << (10 * unit);
	uint64_t hundredths = bytes / one * 100 + bytes % one * 100 / one;
	if (hundredths % 100 == 0)
		snprintf(number, sizeof(number), "%llu", (unsigned long long)(hundredths / 100));
	else if (hundredths % 10 == 0)
		snprintf(number, sizeof(number), "%llu.%llu", (unsigned long long)(hundredths / 100),
			 (unsigned long long)(hundredths % 100 / 10));
	else
		snprintf(number, sizeof(number), "%llu.%02llu", (unsigned long long)(hundredths / 100),
			 (unsigned long long)(hundredths % 100));
	snprintf(buffer, capacity, "%s %s", number, units[unit]);
	return buffer;
}

/*
 * Reads digits, and behind a point as many as `places` at most; the number times 10^places. Returns what follows, NULL if text is no such number,
 * is_huge if it is one that has no room.
 */
static const char *read_decimal(const char *text, unsigned places, uint64_t *ret_number, bool *ret_is_huge)
{
	uint64_t number = 0;
	const char *at = text;
	bool is_huge = false;

	*ret_is_huge = false;
	for (; isdigit((unsigned char)*at); at++)
		is_huge |= __builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number);
	if (at == text)
		return NULL;
	if (*at == '.' && !isdigit((unsigned char)*++at))
		return NULL;
	bool is_fraction = at[-1] == '.';
	for (; is_fraction && isdigit((unsigned char)*at); at++, places--) {
		if (!places)
			return NULL;
		is_huge |= __builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number);
	}
	for (; places; places--)
		is_huge |= __builtin_mul_overflow(number, 10, &number);
	*ret_is_huge = is_huge;
	*ret_number = number;
	return at;
}

/* Writes number / 10^places without zeros at its end. Returns how many characters. */
static int write_decimal(uint64_t number, unsigned places, char *buffer, size_t capacity)
{
	uint64_t one = 1;

	for (unsigned i = 0; i < places; i++)
		one *= 10;
	uint64_t rest = number % one;
	for (; places && rest % 10 == 0; places--)
		rest /= 10;
	if (!places)
		return snprintf(buffer, capacity, "%llu", (unsigned long long)(number / one));
	return snprintf(buffer, capacity, "%llu.%0*llu", (unsigned long long)(number / one), (int)places, (unsigned long long)rest);
}

static const struct {
	const char *name;
	unsigned places;	/* a nanosecond is 10^-places of it */
} time_units[] = {{"ns", 0}, {"us", 3}, {"ms", 6}, {"s", 9}};

int quantity_parse_time(const char *text, uint64_t *ret_ns, char ret_why[256])
{
	bool is_huge;

	if (!strcmp(text, "0")) {
		*ret_ns = 0;
		return 0;
	}
	for (unsigned i = 0; i < 4; i++) {
		uint64_t ns;
		const char *unit = read_decimal(text, time_units[i].places, &ns, &is_huge);
		if (unit && unit[0] == ' ')
			unit++;
		if (!unit || strcmp(unit, time_units[i].name))
			continue;
		if (is_huge || ns > (uint64_t)INT64_MAX) {
			snprintf(ret_why, 256, "'%.40s' is more than three lifetimes; the longest time is 9223372036s", text);
			return -EINVAL;
		}
		*ret_ns = ns;
		return 0;
	}
	snprintf(ret_why, 256, "'%.40s' is not a time; write a number and ns, us, ms or s, as 500us, 16.667ms or 10s", text);
	return -EINVAL;
}

const char *quantity_format_time(uint64_t ns, char *buffer, size_t capacity)
{
	unsigned unit = ns >= 1000000000u ? 3 : ns >= 1000000u ? 2 : ns >= 1000u ? 1 : 0;
	char number[48];

	write_decimal(ns, time_units[unit].places, number, sizeof(number));
	snprintf(buffer, capacity, "%s%s", number, ns ? time_units[unit].name : "");
	return buffer;
}

int quantity_parse_percent(const char *text, uint64_t *ret_ppm, char ret_why[256])
{
	uint64_t ppm;
	bool is_huge;
	const char *rest = read_decimal(text, 4, &ppm, &is_huge);

	if (rest && rest[0] == ' ' && rest[1])
		rest++;
	if (!rest || (strcmp(rest, "") && strcmp(rest, "%"))) {
		snprintf(ret_why, 256, "'%.40s' is not a share; write percent from 0 to 100, as 25, 12.5 or 0.1%%", text);
		return -EINVAL;
	}
	if (is_huge || ppm > 1000000u) {
		snprintf(ret_why, 256, "'%.40s' is more than there is; write percent from 0 to 100, as 25, 12.5 or 0.1%%", text);
		return -EINVAL;
	}
	*ret_ppm = ppm;
	return 0;
}

const char *quantity_format_percent(uint64_t ppm, char *buffer, size_t capacity)
{
	char number[48];

	write_decimal(ppm, 4, number, sizeof(number));
	snprintf(buffer, capacity, "%s%%", number);
	return buffer;
}

int quantity_parse_count(const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *ret_count,
			 char ret_why[256])
{
	uint64_t count = 0;
	const char *at = text;

	for (; isdigit((unsigned char)*at); at++)
		if (__builtin_mul_overflow(count, 10, &count) || __builtin_add_overflow(count, (uint64_t)(*at - '0'), &count))
			break;
	if (at == text || *at || count < least || count > most) {
		snprintf(ret_why, 256, "%.40s is '%.40s', but must be a whole number from %llu to %llu", what, text,
			 (unsigned long long)least, (unsigned long long)most);
		return -EINVAL;
	}
	*ret_count = count;
	return 0;
}
