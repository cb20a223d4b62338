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
	if (*at == ' ')
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
