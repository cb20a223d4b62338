/* SPDX-License-Identifier: MIT */
#include "mdev/json/json_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static __attribute__((format(printf, 2, 3))) void fail(struct json_reader *reader, const char *format, ...)
{
	va_list arguments;

	if (reader->error)
		return;
	reader->error = -EINVAL;
	va_start(arguments, format);
	vsnprintf(reader->why, sizeof(reader->why), format, arguments);
	va_end(arguments);
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	default:
		return "null";
	}
}

void json_reader_init(struct json_reader *reader, const json_t *object)
{
	*reader = (struct json_reader){.object = object};
	if (!json_is_object(object))
		fail(reader, "the body is %s; it must be a JSON object, as {\"name\": \"vm1\"}",
		     object ? type_name(object) : "empty");
}

static const json_t *take(struct json_reader *reader, const char *name)
{
	if (reader->error)
		return NULL;
	if (reader->seen_count < JSON_READER_FIELDS_MAX)
		reader->seen[reader->seen_count++] = name;
	return json_object_get(reader->object, name);
}

void json_reader_text(struct json_reader *reader, const char *name, const char *fallback, char *ret_text, size_t capacity)
{
	const json_t *value = take(reader, name);

	if (reader->error)
		return;
	if (!value) {
		if (!fallback)
			fail(reader, "'%s' is missing; it must be a string", name);
		else
			snprintf(ret_text, capacity, "%s", fallback);
		return;
	}
	if (!json_is_string(value)) {
		fail(reader, "'%s' is %s; it must be a string", name, type_name(value));
		return;
	}
	const char *text = json_string_value(value);
	size_t bytes = json_string_length(value);
	if (!bytes || bytes >= capacity || strlen(text) != bytes) {
		fail(reader, "'%s' has %zu bytes; it must have 1 to %zu", name, bytes, capacity - 1);
		return;
	}
	for (size_t i = 0; i < bytes; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
			fail(reader, "'%s' has a control character at byte %zu; leave it out", name, i);
			return;
		}
	}
	memcpy(ret_text, text, bytes + 1);
}

void json_reader_count(struct json_reader *reader, const char *name, bool is_optional, uint64_t least, uint64_t most,
		       uint64_t *ret_count)
{
	const json_t *value = take(reader, name);

	if (reader->error)
		return;
	if (!value) {
		if (!is_optional)
			fail(reader, "'%s' is missing; it must be a whole number from %llu to %llu", name,
			     (unsigned long long)least, (unsigned long long)most);
		return;
	}
	if (!json_is_integer(value)) {
		fail(reader, "'%s' is %s; it must be a whole number from %llu to %llu", name, type_name(value),
		     (unsigned long long)least, (unsigned long long)most);
		return;
	}
	json_int_t count = json_integer_value(value);
	if (count < 0 || (uint64_t)count < least || (uint64_t)count > most) {
		fail(reader, "'%s' is %lld; it must be from %llu to %llu", name, (long long)count, (unsigned long long)least,
		     (unsigned long long)most);
		return;
	}
	*ret_count = (uint64_t)count;
}

bool json_reader_number(struct json_reader *reader, const char *name, uint64_t least, uint64_t most, uint64_t *ret_number)
{
	json_reader_count(reader, name, true, least, most, ret_number);
	return !reader->error && json_object_get(reader->object, name);
}

bool json_reader_word(struct json_reader *reader, const char *name, const char *const *words, uint64_t *ret_index)
{
	const json_t *value = take(reader, name);
	char all[160] = "";
	size_t used = 0;

	if (!value)
		return false;
	for (uint64_t i = 0; words[i]; i++) {
		if (json_is_string(value) && !strcmp(json_string_value(value), words[i])) {
			*ret_index = i;
			return true;
		}
		if (used < sizeof(all))
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
	}
	if (json_is_string(value))
		fail(reader, "'%s' is '%.40s'; it must be %s", name, json_string_value(value), all);
	else
		fail(reader, "'%s' is %s; it must be %s", name, type_name(value), all);
	return false;
}

void json_reader_bool(struct json_reader *reader, const char *name, bool *ret_flag)
{
	const json_t *value = take(reader, name);

	if (!value)
		return;
	if (!json_is_boolean(value)) {
		fail(reader, "'%s' is %s; it must be true or false", name, type_name(value));
		return;
	}
	*ret_flag = json_is_true(value);
}

int json_reader_finish(struct json_reader *reader)
{
	const char *known[JSON_READER_FIELDS_MAX + 1];
	const char *name;
	json_t *value;

	if (reader->error)
		return reader->error;
	memcpy(known, reader->seen, sizeof(reader->seen));
	known[reader->seen_count] = NULL;
	json_object_foreach((json_t *)reader->object, name, value) {
		bool is_known = false;
		for (unsigned i = 0; i < reader->seen_count && !is_known; i++)
			is_known = !strcmp(name, reader->seen[i]);
		if (is_known)
			continue;
		const char *near = nearest_word(name, known);
		if (near)
			fail(reader, "there is no field '%.60s'; did you mean '%s'?", name, near);
		else
			fail(reader, "there is no field '%.60s'", name);
		break;
	}
	return reader->error;
}

json_t *json_parse_strictly(const char *text, size_t bytes, char ret_why[256])
{
	json_error_t error;
	json_t *value = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);

	if (!value)
		snprintf(ret_why, 256, "not valid JSON: %.150s (line %d, column %d)", error.text, error.line, error.column);
	return value;
}

/* Edit distance of words up to 31 characters; longer ones are never near. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32];
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > 31 || b_length > 31)
		return 32;
	for (unsigned k = 0; k <= b_length; k++)
		row[k] = k;
	for (unsigned i = 1; i <= a_length; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned k = 1; k <= b_length; k++) {
			unsigned best = diagonal + (a[i - 1] != b[k - 1]);
			diagonal = row[k];
			if (row[k] + 1 < best)
				best = row[k] + 1;
			if (row[k - 1] + 1 < best)
				best = row[k - 1] + 1;
			row[k] = best;
		}
	}
	return row[b_length];
}

const char *nearest_word(const char *text, const char *const *candidates)
{
	const char *nearest = NULL;
	unsigned least = strlen(text) <= 3 ? 2 : 3;	/* distances below this are near */

	for (; *candidates; candidates++) {
		unsigned d = distance(text, *candidates);
		if (d < least) {
			least = d;
			nearest = *candidates;
		}
	}
	return nearest;
}
