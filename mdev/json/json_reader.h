/* SPDX-License-Identifier: MIT */
/*
 * Reads a JSON object strictly: every field is asked for by type and bounds, the first error sticks, and a field that
 * nobody asked for is an error at the end.
 *
 * For bytes from outside (HTTP bodies, state files). Borrows the object for its life.
 */
#ifndef VGPU_MDEV_JSON_JSON_READER_H
#define VGPU_MDEV_JSON_JSON_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_READER_FIELDS_MAX 32

struct json_reader {
	const json_t *object;
	const char *seen[JSON_READER_FIELDS_MAX];	/* names asked for: literals */
	unsigned seen_count;
	int error;
	char why[256];		/* with error: one sentence */
};

/* Begins. An object that is not a JSON object is the first error. */
void json_reader_init(struct json_reader *reader, const json_t *object);

/* A string of 1..capacity-1 bytes without control characters. If absent: with fallback NULL an error, else fallback is copied. */
void json_reader_text(struct json_reader *reader, const char *name, const char *fallback, char *ret_text, size_t capacity);
/* A whole number. If absent: *ret_count keeps what it holds if is_optional, else an error. */
void json_reader_count(struct json_reader *reader, const char *name, bool is_optional, uint64_t least, uint64_t most,
		       uint64_t *ret_count);
/* As json_reader_count where it is optional; true if it was there and is good. */
bool json_reader_number(struct json_reader *reader, const char *name, uint64_t least, uint64_t most, uint64_t *ret_number);
/* A string that is one of words (NULL-terminated), optional; *ret_index tells which. True if it was there and is good. */
bool json_reader_word(struct json_reader *reader, const char *name, const char *const *words, uint64_t *ret_index);
void json_reader_bool(struct json_reader *reader, const char *name, bool *ret_flag);	/* optional: keeps what it holds */
/* Refuses fields nobody asked for, naming the nearest known one. Returns 0 or -errno; why has the sentence. */
int json_reader_finish(struct json_reader *reader);

/* Parses text of bytes length into an object or array, refusing duplicate keys, NUL in strings and depth beyond jansson's.
 * NULL with a sentence in ret_why. */
json_t *json_parse_strictly(const char *text, size_t bytes, char ret_why[256]);

/* The entry of candidates (NULL-terminated) nearest to text, NULL if none is near. For "did you mean". */
const char *nearest_word(const char *text, const char *const *candidates);

#endif
