/* SPDX-License-Identifier: MIT */
/*
 * What the files of the parser share. For parse.c and parse_*.c only.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_PARSE_PARTS_H
#define VGPU_MDEV_ENGINE_COMPUTE_PARSE_PARTS_H

#include "mdev/engine/compute/parse.h"

struct cursor {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static inline bool object_id_fits(uint32_t id)
{
	return id >= 1 && id < WIRE_OBJECT_MAX;
}

/* A range of at least one byte inside a mapped blob of memory. */
static inline bool range_fits(const struct wire_range *range, const struct parse_limits *limits)
{
	uint64_t end;

	return range->bytes && WIRE_BLOB_KIND(range->blob_id) == WIRE_BLOB_KIND_MEMORY &&
	       !__builtin_add_overflow(range->offset, range->bytes, &end) &&
	       end <= limits->blob_bytes(limits->data, range->blob_id);
}

/* Only access bits, one of each kind at most. */
static inline bool mem_flags_fit(uint64_t flags)
{
	const uint64_t device_access = CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY;
	const uint64_t host_access = CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS;

	return !(flags & ~(device_access | host_access)) && __builtin_popcountll(flags & device_access) <= 1 &&
	       __builtin_popcountll(flags & host_access) <= 1;
}

/* parse_image.c; as the rows of parse.c's table. */
typedef int parse_rest_fn(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed);
parse_rest_fn image_create_parse, image_formats_parse, sampler_create_parse, sampler_destroy_parse, image_transfer_parse,
	image_copy_parse, image_buffer_copy_parse, image_fill_parse;
#endif
