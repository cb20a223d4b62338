/* SPDX-License-Identifier: MIT */
/*
 * Resources of the guest: blobs made, mapped into the aperture, unmapped, given up.
 *
 * The rule that memory is safe by: a range an engine may still touch stays held and charged until that engine has
 * answered RELEASED or is dead; then it is punched; only then is the guest's UNREF answered, upon which its kernel
 * uses the offset again.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_BLOBS_H
#define VGPU_QEMU_VIRTIO_GPU_BLOBS_H

#include "vgpu-qemu/virtio_gpu/request.h"

/* Handlers of the control queue. */
uint32_t blob_create(struct virtio_gpu *gpu, const struct gpu_request *request);
uint32_t blob_map(struct virtio_gpu *gpu, const struct gpu_request *request);
uint32_t blob_unmap(struct virtio_gpu *gpu, const struct gpu_request *request);
uint32_t resource_unref(struct virtio_gpu *gpu, const struct gpu_request *request);
uint32_t resource_attach(struct virtio_gpu *gpu, const struct gpu_request *request);
uint32_t resource_detach(struct virtio_gpu *gpu, const struct gpu_request *request);

/* Does what follows from the state for one resource; after any change, and after a takeover. */
void resource_settle(struct virtio_gpu *gpu, uint32_t slot);
/* The engine has let go of an UNMAPPING range. */
void blob_released(struct virtio_gpu *gpu, uint32_t slot);
/* Ends it, without a word to the guest: device reset. */
void resource_drop(struct virtio_gpu *gpu, uint32_t slot);

#endif
