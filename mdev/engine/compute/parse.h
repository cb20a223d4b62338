/* SPDX-License-Identifier: MIT */
/*
 * Records of the ring (shim/wire/wire.h), parsed: from bytes that a guest wrote to values that cannot be wrong.
 *
 * Pure: no OpenCL call, no state. The input is a private copy of one record; what points into it (waits,
 * argument values, names) is good as long as that copy is. After a successful parse: ids are in range,
 * counts fit, ranges lie inside blobs that are mapped now, sizes do not overflow, enumerations are
 * known. A QUEUE_CREATE_ON is a QUEUE_CREATE with a sub-device afterwards. Whether an object with that id exists is the executor's question.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_PARSE_H
#define VGPU_MDEV_ENGINE_COMPUTE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/wire/image.h"
#include "shim/wire/wire.h"

/* Largest images, in pixels and elements. */
struct parse_image_limits {
	uint64_t width_2d, height_2d;	/* width_2d 0: no images at all */
	uint64_t width_3d, height_3d, depth_3d;
	uint64_t array_size;
	uint64_t buffer_pixels;
};

/* What bounds depend on. */
struct parse_limits {
	uint32_t mem_align_bytes;	/* power of two */
	uint64_t max_alloc_bytes;
	bool unified;			/* buffers may have a backing range */
	struct parse_image_limits images;
	bool svm;			/* blobs may have addresses, kernels take them */
	uint64_t (*blob_bytes)(void *data, uint64_t blob_id);	/* 0 = not mapped */
	void *data;
};

struct parsed_queue_create {
	uint32_t queue;
	bool profiling;
	uint32_t sub_device;		/* 0: the device itself */
};
struct parsed_partition {
	uint32_t first;
	uint32_t count;
	bool equally;
	uint32_t units[WIRE_SUB_DEVICE_COUNT];
};
struct parsed_buffer_create {
	uint32_t buffer;
	uint64_t flags;
	uint64_t bytes;
	struct wire_range backing;	/* bytes 0: none */
};
struct parsed_sub_buffer {
	uint32_t buffer;
	uint32_t parent;
	uint64_t flags;
	uint64_t origin;
	uint64_t bytes;
};
struct parsed_program_build {
	uint32_t program;
	struct wire_range source;	/* bytes 0: the reply is asked for again */
	struct wire_range options;
	struct wire_range reply;
};
struct parsed_program_compile {
	uint32_t program;
	bool executable;		/* else an object */
	bool il;
	struct wire_range source;	/* not empty */
	struct wire_range options;
	struct wire_range headers;	/* what they hold is parsed by headers_parse */
	struct wire_range reply;
	uint32_t header_count;
	uint32_t constant_count;
	const struct wire_constant *constants;
};
struct parsed_program_link {
	uint32_t program;
	struct wire_range options;
	struct wire_range reply;
	uint32_t input_count;		/* 1 or more */
	const uint32_t *inputs;		/* ids in range */
};
struct parsed_sub_groups {
	uint32_t kernel;
	uint32_t param;
	uint32_t input_count;		/* 0..3 */
	size_t input[3];
	struct wire_range reply;	/* 8 to 24 bytes */
};
struct parsed_kernel_create {
	uint32_t kernel;
	uint32_t program;
	char name[1024];		/* with its NUL */
};
struct parsed_arg {
	uint32_t kind;			/* enum wire_arg_kind */
	uint32_t bytes;
	uint32_t object;
	union {
		const void *value;	/* VALUE: `bytes` of it, aligned to 8 */
		uint64_t address;	/* SVM: 0 or inside the window */
	};
};
struct parsed_ndrange {
	uint32_t kernel;
	uint32_t dimensions;
	uint32_t arg_count;
	bool has_local;
	size_t offset[3];
	size_t global[3];
	size_t local[3];
	struct parsed_arg args[WIRE_ARG_MAX];
};
struct parsed_fill {
	uint32_t buffer;
	uint32_t pattern_bytes;
	uint64_t offset;
	uint64_t bytes;
	const void *pattern;
};
struct parsed_copy {
	uint32_t source;
	uint32_t destination;
	uint64_t source_offset;
	uint64_t destination_offset;
	uint64_t bytes;
};
struct parsed_transfer {
	uint32_t buffer;
	uint64_t offset;
	struct wire_range range;
};
struct parsed_image_create {
	uint32_t image;
	uint32_t buffer;		/* 0: none */
	uint64_t flags;
	cl_image_format format;
	struct wire_image_shape shape;
	uint64_t width, height, depth, array_size;	/* as cl_image_desc has them */
	uint64_t row_pitch, slice_pitch;	/* never less than tight, also where the device chooses its own */
	uint64_t bytes;			/* at these pitches */
	struct wire_range backing;	/* bytes 0: none */
};
struct parsed_image_formats {
	uint32_t type;
	uint64_t flags;
	struct wire_range reply;
};
struct parsed_sampler_create {
	uint32_t sampler;
	bool normalized;
	uint32_t addressing;
	uint32_t filter;
};
/* Origins and regions: no region is empty, no end wraps. */
struct parsed_image_transfer {
	uint32_t image;
	uint64_t origin[3], region[3];
	uint64_t row_pitch, slice_pitch;
	struct wire_range range;
};
struct parsed_image_copy {
	uint32_t source, destination;
	uint64_t source_origin[3], destination_origin[3], region[3];
};
struct parsed_image_buffer_copy {
	uint32_t image, buffer;
	uint64_t origin[3], region[3];
	uint64_t offset;
};
struct parsed_image_fill {
	uint32_t image;
	uint8_t color[16];
	uint64_t origin[3], region[3];
};

struct parsed_svm_map {
	uint64_t blob_id;
	uint64_t address;		/* page-aligned, inside the window */
};

struct parsed {
	uint16_t opcode;
	uint64_t sequence;
	uint32_t slot;			/* < WIRE_SLOT_COUNT or WIRE_NO_SLOT */
	uint32_t queue;			/* of a queue record, 0 for the others */
	uint32_t wait_count;
	const struct wire_wait *waits;
	union {
		struct parsed_queue_create queue_create;
		uint32_t destroy_id;
		struct parsed_buffer_create buffer_create;
		struct parsed_program_build program_build;
		struct parsed_program_compile program_compile;
		struct parsed_program_link program_link;
		struct parsed_sub_groups sub_groups;
		struct parsed_kernel_create kernel_create;
		struct parsed_ndrange ndrange;
		struct parsed_fill fill;
		struct parsed_copy copy;
		struct parsed_transfer transfer;
		uint64_t release_blob_id;
		struct wire_range output_range;
		struct parsed_sub_buffer sub_buffer;
		struct parsed_partition partition;
		struct parsed_image_create image_create;
		struct parsed_image_formats image_formats;
		struct parsed_sampler_create sampler_create;
		struct parsed_image_transfer image_transfer;
		struct parsed_image_copy image_copy;
		struct parsed_image_buffer_copy image_buffer_copy;
		struct parsed_image_fill image_fill;
		struct parsed_svm_map svm_map;
	};
};

/*
 * Parses the `bytes` of one record, aligned to 8; its header's own length is bytes (the ring checked
 * that). 0, or the OpenCL error with which the record is refused; opcode, sequence, slot and queue of
 * *ret_parsed are set in any case, as far as they could be read (else WIRE_NO_SLOT and 0).
 */
int parse_record(const void *record, size_t bytes, const struct parse_limits *limits, struct parsed *ret_parsed);

/* One header program of WIRE_PROGRAM_COMPILE. */
struct parsed_header {
	char name[1024];		/* with a NUL; as a relative path it stays below where it is put */
	const void *text;
	size_t text_bytes;
};
/* Parses a private copy of what a record's `headers` named, aligned to 8; the texts point into it. 0 or CL_INVALID_VALUE. */
int headers_parse(const void *copy, size_t bytes, uint32_t count, struct parsed_header *ret_headers);
#endif
