/* SPDX-License-Identifier: MIT */
/* Bytes, times and shares as people write them: "512M", "16ms", "12.5%"; parsed once where text enters, written where it leaves. */
#ifndef VGPU_MDEV_QUANTITY_H
#define VGPU_MDEV_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

/*
 * Parses "4096", "512M", "1G", "1.5G", "2GiB", "1 TiB" (K, M, G, T are powers of 1024; an optional "iB" or "B" after the
 * letter). 0, or -EINVAL with a sentence in ret_why (256 bytes). ret_bytes is untouched on failure.
 */
int quantity_parse_bytes(const char *text, uint64_t *ret_bytes, char ret_why[256]);

/* Writes bytes with the largest unit that gives at least 1, two digits at most behind the point: "1.5 GiB". Returns buffer. */
const char *quantity_format_bytes(uint64_t bytes, char *buffer, size_t capacity);

/*
 * Parses "500us", "16.667ms", "10s", "100 ns", or "0" (a number, with digits behind the point down to a nanosecond, and ns, us, ms or s).
 * As above.
 */
int quantity_parse_time(const char *text, uint64_t *ret_ns, char ret_why[256]);
/* Writes it exactly, with the largest unit that gives at least 1: "16.667ms", "0". Returns buffer. */
const char *quantity_format_time(uint64_t ns, char *buffer, size_t capacity);

/* Parses "25", "12.5%", "0.1 %": percent from 0 to 100, four digits behind the point at most. In millionths; as above. */
int quantity_parse_percent(const char *text, uint64_t *ret_ppm, char ret_why[256]);
/* Writes millionths as "12.5%". Returns buffer. */
const char *quantity_format_percent(uint64_t ppm, char *buffer, size_t capacity);

/* A whole decimal number from least to most, nothing else in text. 0, or -EINVAL with a sentence that names what. */
int quantity_parse_count(const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *ret_count,
			 char ret_why[256]);
#endif
