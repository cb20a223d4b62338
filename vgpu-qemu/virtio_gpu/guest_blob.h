/* SPDX-License-Identifier: MIT */
/*
 * Guest-memory blobs: which page runs of guest RAM a resource consists of.
 *
 * Kept for the guest's sake, whose kernel makes such blobs for plain buffers; no engine ever gets them, and the
 * device neither reads nor writes through them. The runs come from one bounded pool.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_GUEST_BLOB_H
#define VGPU_QEMU_VIRTIO_GPU_GUEST_BLOB_H

#include "vgpu-qemu/virtio_gpu/request.h"

/* Finds the runs no resource names. -EPROTO if two name the same. */
int guest_blob_rebuild(struct virtio_gpu *gpu);

/*
 * Copies and checks the entries of a RESOURCE_CREATE_BLOB (virtio 1.3 §5.7.6.8): entry_count x virtio_gpu_mem_entry
 * behind the fixed part, all in mapped, writable guest memory, together at least bytes long. Adjacent ones become one
 * run. 0; -EINVAL; -EFAULT; -ENOSPC: the pool is used up.
 */
int guest_blob_take(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t entry_count, uint64_t bytes,
		    uint32_t *ret_run_first, uint32_t *ret_run_count);
/* Gives a chain back. */
void guest_blob_give(struct virtio_gpu *gpu, uint32_t run_first);

#endif
