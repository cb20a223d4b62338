/* SPDX-License-Identifier: MIT */
/* The parts of a compile request as bytes: per part, its length in 8 bytes and itself. Written by engines, read where builds are made. */
#ifndef VGPU_MDEV_ENGINE_COMPILER_PARTS_H
#define VGPU_MDEV_ENGINE_COMPILER_PARTS_H

#include <stddef.h>
#include <stdint.h>

struct part {
	const void *bytes;
	size_t count;
};

/* Allocated: the parts one after another; each byte of theirs is read once. NULL: no memory, or more than a request may have. */
uint8_t *parts_join(const struct part *parts, uint32_t part_count, size_t *ret_bytes);
/* Points ret_parts into bytes. 0, or -EINVAL: not exactly part_count parts. */
int parts_split(const uint8_t *bytes, size_t count, uint32_t part_count, struct part *ret_parts);
#endif
