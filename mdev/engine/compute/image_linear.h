/* SPDX-License-Identifier: MIT */
/*
 * Commands on images of the type 1D_BUFFER, carried out on the buffer that they lie in: its bytes are the image's (OpenCL 3.0 §5.3.1),
 * and drivers know images in buffers as kernels' arguments, but not all as commands' (PoCL 3.1 crashes in their copies and fills).
 *
 * Ring thread only. Regions are checked.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_IMAGE_LINEAR_H
#define VGPU_MDEV_ENGINE_COMPUTE_IMAGE_LINEAR_H

#include "mdev/engine/compute/objects.h"

/* Where a command goes, and what it waits for. */
struct image_target {
	cl_command_queue queue;
	cl_uint wait_count;
	const cl_event *waits;	/* NULL: none */
	cl_event *ret_event;	/* NULL: none is wanted */
};

/* The color's pixel is made by the device, in an image of one pixel; then doubled. 0 or an OpenCL error. */
int image_linear_fill(cl_context context, const struct image_target *target, const struct buffer *image, const void *color, uint64_t origin,
		      uint64_t pixels);
/* Either may be such an image; at least one is. */
int image_linear_copy(const struct image_target *target, const struct buffer *source, const size_t from[3], const struct buffer *destination,
		      const size_t to[3], const size_t region[3]);
#endif
