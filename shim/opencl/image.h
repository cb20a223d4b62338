/* SPDX-License-Identifier: MIT */
/*
 * Images: their shape, their formats, and the transfers between them and the application's memory.
 */
#ifndef VGPU_SHIM_OPENCL_IMAGE_H
#define VGPU_SHIM_OPENCL_IMAGE_H

#include "shim/opencl/buffer.h"
#include "shim/wire/image.h"

struct image {
	cl_image_format format;
	cl_image_desc desc;		/* as given; mem_object is the image's parent */
	struct wire_image_shape shape;
	/* Of the aperture memory that it lies in, if it does. */
	size_t row_pitch, slice_pitch;
	/* Of host_ptr's memory; else as above. */
	size_t host_row_pitch, host_slice_pitch;
};

/* The device's formats, filtered to those that can be carried; asked of the host once per type and access. */
#define IMAGE_TYPES 6
#define IMAGE_ACCESSES 4
struct image_formats {
	bool known[IMAGE_TYPES][IMAGE_ACCESSES];
	cl_image_format *list[IMAGE_TYPES][IMAGE_ACCESSES];
	cl_uint count[IMAGE_TYPES][IMAGE_ACCESSES];
};
/* Borrowed from the device, for good. CL_INVALID_VALUE: no such type or flags. */
cl_int image_formats_get(struct _cl_context *context, cl_mem_flags flags, cl_mem_object_type type,
			 const cl_image_format **ret_formats, cl_uint *ret_count);

/* A part of an image and where its pixels are, or are to go, in the application's memory. */
struct image_move {
	struct transfer transfer;	/* offset and bytes unused */
	size_t origin[3], region[3];
	size_t row_pitch, slice_pitch;	/* of host */
	uint8_t *host;			/* the first pixel; only read from by a write */
	bool write;
};
/* What every enqueue with one image checks; both of origin and region may be the application's NULL. */
cl_int image_check(const struct _cl_command_queue *queue, const struct _cl_mem *mem, const size_t *origin, const size_t *region,
		   cl_uint wait_count, const cl_event *waits);
/* In queue order. Arguments are checked. */
cl_int image_move_do(const struct image_move *move, cl_event *ret_event);
/* An IMAGE_READ or IMAGE_WRITE of the move's region, without gaps in `range`. With release, the range is taken. */
cl_int image_move_record(const struct image_move *move, struct memory_range *range, bool release, cl_event *ret_event);
/* The second half of clEnqueueUnmapMemObject; mapping is borrowed. */
cl_int image_unmap(const struct transfer *transfer, struct mapping *mapping, cl_event *ret_event);

/* Two images as the API sees them: of the type's sizes. */
static inline struct wire_image_rows image_rows(const struct _cl_mem *mem, const size_t region[3])
{
	struct wire_image_rows rows = { 0 };

	(void)wire_image_rows(&mem->image->shape, (const uint64_t *)region, &rows);	/* inside the image: it does not overflow */
	return rows;
}
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "origins and regions go into records as they are");
#endif
