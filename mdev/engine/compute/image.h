/* SPDX-License-Identifier: MIT */
/*
 * Images and samplers of the guest's: their records carried out on the host's device.
 *
 * Ring thread only. An image stands in the buffers' table (objects.h). In a buffer, it keeps that buffer's memory: the pin of its
 * blob by a pin of its own, the device's own by a use of it.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_IMAGE_H
#define VGPU_MDEV_ENGINE_COMPUTE_IMAGE_H

#include "mdev/engine/compute/execute.h"

/* What the device allows, for the parser. All zero: it has no images. */
struct parse_image_limits image_limits(const struct device *device);

/* Object records: 0 or an OpenCL error. */
int image_create(struct executor *executor, const struct parsed *parsed);
int image_formats(struct executor *executor, const struct parsed *parsed, uint32_t *ret_value);
int sampler_create(struct executor *executor, const struct parsed *parsed);

/* IMAGE_* queue records: 0 or an OpenCL error. *ret_pinned_blob: stays pinned until the command is done; the caller arranges that. */
int image_enqueue(struct executor *executor, const struct parsed *parsed, cl_command_queue queue, cl_uint wait_count,
		  const cl_event *waits, cl_event *ret_event, uint64_t *ret_pinned_blob);
#endif
