/* SPDX-License-Identifier: MIT */
/*
 * A control command as copied from the guest, once, and checked for size; and what a handler answers.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_REQUEST_H
#define VGPU_QEMU_VIRTIO_GPU_REQUEST_H

#include <stdatomic.h>

#include "vgpu-qemu/virtio_gpu/gpu.h"

struct gpu_request {
	const struct virtqueue_element *element;
	bool replay;			/* an earlier process passed all checks of this very element and began to act */
	bool again;			/* an earlier process may have begun to handle it */
	uint32_t type;
	uint32_t flags;			/* only those the device echoes */
	uint64_t fence_id;
	uint32_t context_id;
	uint8_t ring_index;
	union {				/* little-endian, as the guest wrote it; the row of the table says which and how long */
		struct virtio_gpu_ctrl_hdr header;
		struct virtio_gpu_get_capset_info capset_info;
		struct virtio_gpu_get_capset capset;
		struct virtio_gpu_ctx_create context_create;
		struct virtio_gpu_ctx_resource context_resource;
		struct virtio_gpu_cmd_submit submit;
		struct virtio_gpu_resource_create_blob create_blob;
		struct virtio_gpu_resource_map_blob map_blob;
		struct virtio_gpu_resource_unmap_blob unmap_blob;
		struct virtio_gpu_resource_unref unref;
	} u;
};

/* A handler's answer: a VIRTIO_GPU_RESP_*, or this. */
#define GPU_DEFERRED 0u

/* All checks passed: from here on the same element is a replay. */
static inline void gpu_request_act(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	gpu->state->acting_serial = request->element->serial;
	atomic_signal_fence(memory_order_seq_cst);
}

#endif
