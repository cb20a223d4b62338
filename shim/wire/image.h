/* SPDX-License-Identifier: MIT */
/*
 * Images and samplers in the guest protocol (version 2, WIRE_CAPS_IMAGES), and the arithmetic of pixels that both sides need.
 *
 * An image is a memory object: its id is of the buffers' kind, BUFFER_DESTROY ends it, a blob's release drops it. On a unified
 * device it may lie in a blob, row by row at the pitches it is created with. Formats, types and modes are OpenCL's numbers.
 */
#ifndef VGPU_SHIM_WIRE_IMAGE_H
#define VGPU_SHIM_WIRE_IMAGE_H

#include <CL/cl.h>
#include <stdbool.h>

#include "shim/wire/wire.h"

/* Object record. `buffer`: what a 1D_BUFFER image, or a 2D one with pixels in a buffer, lies in; else 0.
 * Pitches: with a backing, of all its rows and slices, and backing.bytes is just what they take (wire_image_bytes); a 2D image in
 * a buffer has its row pitch; else 0. Without both the engine allocates the device's own memory. */
struct wire_image_create {
	struct wire_header h;
	uint32_t slot;
	uint32_t image;
	uint64_t flags;			/* as BUFFER_CREATE's */
	uint32_t type;			/* cl_mem_object_type */
	uint32_t channel_order;
	uint32_t channel_type;
	uint32_t buffer;
	uint64_t width;
	uint64_t height;		/* what the type does not have is 0, as in cl_image_desc */
	uint64_t depth;
	uint64_t array_size;
	uint64_t row_pitch;
	uint64_t slice_pitch;
	struct wire_range backing;
};
/* Object record: writes as many struct wire_image_format as fit into `reply`; slot.value is how many there are. */
struct wire_image_formats {
	struct wire_header h;
	uint32_t slot;
	uint32_t type;
	uint64_t flags;			/* CL_MEM_READ_WRITE, READ_ONLY, WRITE_ONLY or KERNEL_READ_AND_WRITE */
	struct wire_range reply;
};
struct wire_image_format {
	uint32_t channel_order;
	uint32_t channel_type;
};
/* Object record. SAMPLER_DESTROY is a struct wire_destroy; the id may be used again at once. */
struct wire_sampler_create {
	struct wire_header h;
	uint32_t slot;
	uint32_t sampler;
	uint32_t normalized;		/* 0 or 1 */
	uint32_t addressing;		/* cl_addressing_mode */
	uint32_t filter;		/* cl_filter_mode */
	uint32_t reserved;
};
/* Queue records. Origins and regions as the API has them, in pixels. IMAGE_WRITE and IMAGE_READ: `range` holds the region's
 * rows at these pitches; slice_pitch is 0 for what has no slices. */
struct wire_image_transfer {
	struct wire_queued q;
	uint32_t image;
	uint32_t reserved;
	uint64_t origin[3];
	uint64_t region[3];
	uint64_t row_pitch;
	uint64_t slice_pitch;
	struct wire_range range;
};
struct wire_image_copy {
	struct wire_queued q;
	uint32_t source;
	uint32_t destination;
	uint64_t source_origin[3];
	uint64_t destination_origin[3];
	uint64_t region[3];
};
/* IMAGE_TO_BUFFER and IMAGE_FROM_BUFFER; the buffer's side is without gaps. */
struct wire_image_buffer_copy {
	struct wire_queued q;
	uint32_t image;
	uint32_t buffer;
	uint64_t origin[3];
	uint64_t region[3];
	uint64_t offset;
};
struct wire_image_fill {
	struct wire_queued q;
	uint32_t image;
	uint32_t reserved;
	uint8_t color[16];		/* four floats or integers, or a depth: as clEnqueueFillImage takes it */
	uint64_t origin[3];
	uint64_t region[3];
};

/* Bytes of one pixel, 0 for formats that cannot be carried (OpenCL 3.0 §5.3.1.1, tables 16 and 17). */
static inline uint32_t wire_image_pixel_bytes(uint32_t order, uint32_t type)
{
	uint32_t channels, bytes;

	switch (order) {
	case CL_R: case CL_A: case CL_INTENSITY: case CL_LUMINANCE: case CL_DEPTH:
		channels = 1;
		break;
	case CL_RG: case CL_RA:
		channels = 2;
		break;
	case CL_RGBA: case CL_BGRA: case CL_ARGB: case CL_ABGR: case CL_sRGBA: case CL_sBGRA:
		channels = 4;
		break;
	case CL_RGB: case CL_RGBx:	/* packed ones only */
		return type == CL_UNORM_SHORT_565 || type == CL_UNORM_SHORT_555 ? 2 : type == CL_UNORM_INT_101010 ? 4 : 0;
	default:
		return 0;
	}
	switch (type) {
	case CL_SNORM_INT8: case CL_UNORM_INT8: case CL_SIGNED_INT8: case CL_UNSIGNED_INT8:
		bytes = 1;
		break;
	case CL_SNORM_INT16: case CL_UNORM_INT16: case CL_SIGNED_INT16: case CL_UNSIGNED_INT16: case CL_HALF_FLOAT:
		bytes = 2;
		break;
	case CL_SIGNED_INT32: case CL_UNSIGNED_INT32: case CL_FLOAT:
		bytes = 4;
		break;
	default:
		return 0;
	}
	return channels * bytes;
}

/* An image's sizes, checked by neither side yet. */
struct wire_image_shape {
	uint32_t type;
	uint32_t pixel_bytes;
	uint64_t extent[3];		/* what origins and regions count in; 1 where there is nothing */
};
/* False: no such type. */
static inline bool wire_image_shape(uint32_t type, uint32_t pixel_bytes, uint64_t width, uint64_t height, uint64_t depth,
				    uint64_t array_size, struct wire_image_shape *ret_shape)
{
	*ret_shape = (struct wire_image_shape){ type, pixel_bytes, { width, 1, 1 } };
	switch (type) {
	case CL_MEM_OBJECT_IMAGE1D:
	case CL_MEM_OBJECT_IMAGE1D_BUFFER:
		return true;
	case CL_MEM_OBJECT_IMAGE1D_ARRAY:
		ret_shape->extent[1] = array_size;
		return true;
	case CL_MEM_OBJECT_IMAGE2D:
		ret_shape->extent[1] = height;
		return true;
	case CL_MEM_OBJECT_IMAGE2D_ARRAY:
		ret_shape->extent[1] = height;
		ret_shape->extent[2] = array_size;
		return true;
	case CL_MEM_OBJECT_IMAGE3D:
		ret_shape->extent[1] = height;
		ret_shape->extent[2] = depth;
		return true;
	default:
		return false;
	}
}

/* A region as memory has it: a one-dimensional array's elements are slices of one row. */
struct wire_image_rows {
	uint64_t row_bytes, rows, slices;
};
/* False: it overflows, or is empty. */
static inline bool wire_image_rows(const struct wire_image_shape *shape, const uint64_t region[3], struct wire_image_rows *ret_rows)
{
	bool array = shape->type == CL_MEM_OBJECT_IMAGE1D_ARRAY;

	ret_rows->rows = array ? 1 : region[1];
	ret_rows->slices = array ? region[1] : region[2];
	return region[0] && region[1] && region[2] && (!array || region[2] == 1) &&
	       !__builtin_mul_overflow(region[0], (uint64_t)shape->pixel_bytes, &ret_rows->row_bytes);
}
/* Bytes from the first pixel to the last; false: it overflows. */
static inline bool wire_image_span(const struct wire_image_rows *rows, uint64_t row_pitch, uint64_t slice_pitch, uint64_t *ret_bytes)
{
	uint64_t down, back;

	return !__builtin_mul_overflow(rows->rows - 1, row_pitch, &down) && !__builtin_mul_overflow(rows->slices - 1, slice_pitch, &back) &&
	       !__builtin_add_overflow(down, back, ret_bytes) && !__builtin_add_overflow(*ret_bytes, rows->row_bytes, ret_bytes);
}
static inline bool wire_image_has_slices(uint32_t type)
{
	return type == CL_MEM_OBJECT_IMAGE1D_ARRAY || type == CL_MEM_OBJECT_IMAGE2D_ARRAY || type == CL_MEM_OBJECT_IMAGE3D;
}
/*
 * OpenCL 3.0 §5.3.1.2 and §5.3.3: pitches of 0 are computed; others must hold the rows and slices. What has no slices has no slice
 * pitch. False: they do not fit, or overflow.
 */
static inline bool wire_image_pitches(const struct wire_image_shape *shape, const struct wire_image_rows *rows, uint64_t *row_pitch,
				      uint64_t *slice_pitch)
{
	uint64_t least;

	if (!*row_pitch)
		*row_pitch = rows->row_bytes;
	if (*row_pitch < rows->row_bytes || __builtin_mul_overflow(rows->rows, *row_pitch, &least))
		return false;
	if (!wire_image_has_slices(shape->type))
		return *slice_pitch == 0;
	if (!*slice_pitch)
		*slice_pitch = least;
	return *slice_pitch >= least;
}
/* All of an image at these pitches. False: it overflows. */
static inline bool wire_image_bytes(const struct wire_image_shape *shape, const struct wire_image_rows *rows, uint64_t row_pitch,
				    uint64_t slice_pitch, uint64_t *ret_bytes)
{
	return wire_image_has_slices(shape->type) ? !__builtin_mul_overflow(rows->slices, slice_pitch, ret_bytes) :
						    !__builtin_mul_overflow(rows->rows, row_pitch, ret_bytes);
}
/* The region lies in the image. */
static inline bool wire_image_inside(const struct wire_image_shape *shape, const uint64_t origin[3], const uint64_t region[3])
{
	for (int i = 0; i < 3; i++)
		if (!region[i] || origin[i] > shape->extent[i] || region[i] > shape->extent[i] - origin[i])
			return false;
	return true;
}
/* Where a pixel lies from the first. Inside the image, so it cannot overflow. */
static inline uint64_t wire_image_at(const struct wire_image_shape *shape, const uint64_t origin[3], uint64_t row_pitch, uint64_t slice_pitch)
{
	uint64_t at = origin[0] * shape->pixel_bytes;

	return shape->type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? at + origin[1] * slice_pitch :
							    at + origin[1] * row_pitch + origin[2] * slice_pitch;
}
/* Two regions of one image share a pixel. */
static inline bool wire_image_overlap(const uint64_t a[3], const uint64_t b[3], const uint64_t region[3])
{
	for (int i = 0; i < 3; i++)
		if (a[i] + region[i] <= b[i] || b[i] + region[i] <= a[i])
			return false;
	return true;
}
#endif
