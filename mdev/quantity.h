/* SPDX-License-Identifier: MIT */
/* Bytes as people write them: "512M", "1 GiB"; parsed once where text enters, written where it leaves. */
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

/* A whole decimal number from least to most, nothing else in text. 0, or -EINVAL with a sentence that names what. */
int quantity_parse_count(const char *what, const char *text, uint64_t least, uint64_t most, uint64_t *ret_count,
			 char ret_why[256]);
#endif
