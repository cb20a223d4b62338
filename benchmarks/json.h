/* SPDX-License-Identifier: MIT */
/*
 * A JSON writer (RFC 8259) onto a stream, small enough to need no library in a guest.
 *
 * Keys are NULL inside arrays and for the outermost value. Strings may hold any bytes: what is not
 * valid UTF-8 becomes U+FFFD. NAN and infinities, which JSON lacks, become null. Nesting beyond
 * JSON_DEPTH_MAX is a bug of the caller's (assert).
 */
#ifndef BENCHMARKS_JSON_H
#define BENCHMARKS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 16

struct json {
	FILE *out;		/* borrowed */
	bool pretty;		/* indented; else all on one line */
	unsigned depth;
	char closer[JSON_DEPTH_MAX];
	bool filled[JSON_DEPTH_MAX];
};

void json_init(struct json *json, FILE *out, bool pretty);
/* Ends the line and flushes. -EIO: some of the text could not be written. */
int json_finish(struct json *json);

void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
/* Closes the innermost object or array. */
void json_end(struct json *json);

/* A NULL value is written as null. */
void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, double value);
void json_uint(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif
