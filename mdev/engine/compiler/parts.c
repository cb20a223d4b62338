/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compiler/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/engine/compile_protocol.h"

uint8_t *parts_join(const struct part *parts, uint32_t part_count, size_t *ret_bytes)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < part_count; i++) {
		if (parts[i].count > COMPILE_REQUEST_MAX_BYTES - sizeof(uint64_t) - bytes)
			return NULL;
		bytes += sizeof(uint64_t) + parts[i].count;
		if (bytes > COMPILE_REQUEST_MAX_BYTES - sizeof(uint64_t))
			return NULL;
	}
	uint8_t *joined = malloc(bytes ? bytes : 1), *at = joined;
	for (uint32_t i = 0; joined && i < part_count; i++) {
		const uint64_t count = parts[i].count;
		memcpy(at, &count, sizeof(count));
		if (count)
			memcpy(at + sizeof(count), parts[i].bytes, count);
		at += sizeof(count) + count;
	}
	*ret_bytes = bytes;
	return joined;
}

int parts_split(const uint8_t *bytes, size_t count, uint32_t part_count, struct part *ret_parts)
{
	for (uint32_t i = 0; i < part_count; i++) {
		uint64_t length;
		if (count < sizeof(length))
			return -EINVAL;
		memcpy(&length, bytes, sizeof(length));
		if (length > count - sizeof(length))
			return -EINVAL;
		ret_parts[i] = (struct part){.bytes = bytes + sizeof(length), .count = (size_t)length};
		bytes += sizeof(length) + length;
		count -= sizeof(length) + (size_t)length;
	}
	return count ? -EINVAL : 0;
}
