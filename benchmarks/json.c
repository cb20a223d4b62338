// SPDX-License-Identifier: MIT
/* JSON text, written as it comes; errors of the stream are told once, by json_finish. */
#include "benchmarks/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>

void json_init(struct json *json, FILE *out, bool pretty)
{
	*json = (struct json){ .out = out, .pretty = pretty };
}

int json_finish(struct json *json)
{
	assert(json->depth == 0);
	fputc('\n', json->out);
	return fflush(json->out) || ferror(json->out) ? -EIO : 0;
}

/* Bytes of the valid UTF-8 sequence at `text` (Unicode 15, table 3-7); 0: not one. */
static size_t utf8_length(const unsigned char *text)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		length = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		length = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (text[0] == 0xe0)
		low = 0xa0;	/* shorter forms exist */
	if (text[0] == 0xed)
		high = 0x9f;	/* surrogates */
	if (text[0] == 0xf0)
		low = 0x90;
	if (text[0] == 0xf4)
		high = 0x8f;	/* beyond U+10FFFF */
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	return length;
}

static void write_string(FILE *out, const char *value)
{
	const unsigned char *text = (const unsigned char *)value;

	fputc('"', out);
	while (*text) {
		size_t length = utf8_length(text);

		if (length == 0) {
			fputs("\\ufffd", out);
			length = 1;
		} else if (*text == '"' || *text == '\\') {
			fprintf(out, "\\%c", *text);
		} else if (*text == '\n') {
			fputs("\\n", out);
		} else if (*text == '\t') {
			fputs("\\t", out);
		} else if (*text < 0x20 || *text == 0x7f) {
			fprintf(out, "\\u%04x", *text);
		} else {
			fwrite(text, 1, length, out);
		}
		text += length;
	}
	fputc('"', out);
}

static void new_line(struct json *json)
{
	if (!json->pretty)
		return;
	fputc('\n', json->out);
	for (unsigned i = 0; i < json->depth; i++)
		fputs("  ", json->out);
}

/* Comma, indentation and key: what comes before every value. */
static void before_value(struct json *json, const char *key)
{
	if (json->depth) {
		if (json->filled[json->depth - 1])
			fputc(',', json->out);
		json->filled[json->depth - 1] = true;
		new_line(json);
	}
	if (key) {
		write_string(json->out, key);
		fputs(json->pretty ? ": " : ":", json->out);
	}
}

static void open_nest(struct json *json, const char *key, char opener, char closer)
{
	assert(json->depth < JSON_DEPTH_MAX);
	before_value(json, key);
	fputc(opener, json->out);
	json->closer[json->depth] = closer;
	json->filled[json->depth] = false;
	json->depth++;
}

void json_object(struct json *json, const char *key)
{
	open_nest(json, key, '{', '}');
}

void json_array(struct json *json, const char *key)
{
	open_nest(json, key, '[', ']');
}

void json_end(struct json *json)
{
	assert(json->depth > 0);
	json->depth--;
	if (json->filled[json->depth])
		new_line(json);
	fputc(json->closer[json->depth], json->out);
}

void json_string(struct json *json, const char *key, const char *value)
{
	before_value(json, key);
	if (value)
		write_string(json->out, value);
	else
		fputs("null", json->out);
}

void json_number(struct json *json, const char *key, double value)
{
	before_value(json, key);
	if (isfinite(value))
		fprintf(json->out, "%.9g", value);
	else
		fputs("null", json->out);
}

void json_uint(struct json *json, const char *key, uint64_t value)
{
	before_value(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	before_value(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
	before_value(json, key);
	fputs("null", json->out);
}
