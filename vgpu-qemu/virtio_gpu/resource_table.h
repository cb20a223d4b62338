/* SPDX-License-Identifier: MIT */
/*
 * The slots of the resource table, with this process's indices over them: by the guest's id, by context and blob id.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_RESOURCE_TABLE_H
#define VGPU_QEMU_VIRTIO_GPU_RESOURCE_TABLE_H

#include "vgpu-qemu/virtio_gpu/gpu.h"

/* Builds indices and counts from the state. -EPROTO if the state cannot be one of ours. */
int resource_table_rebuild(struct virtio_gpu *gpu);

/* Slots or GPU_NONE. A ZOMBIE has no id; an orphan no blob id. */
uint32_t resource_table_find(const struct virtio_gpu *gpu, uint32_t id);
uint32_t resource_table_find_blob(const struct virtio_gpu *gpu, uint32_t context, uint64_t blob_id);

/* Takes a slot, fills it from *resource (use: LIVE or WAITING) and publishes it last. GPU_NONE if the table is full. */
uint32_t resource_table_add(struct virtio_gpu *gpu, const struct gpu_resource *resource);
/* Gives the slot back. The range must be NONE and the runs freed. */
void resource_table_remove(struct virtio_gpu *gpu, uint32_t slot);

void resource_table_grant(struct virtio_gpu *gpu, uint32_t slot);	/* WAITING := LIVE; its bytes are charged */
void resource_table_orphan(struct virtio_gpu *gpu, uint32_t slot);	/* owner := none */
void resource_table_forget_id(struct virtio_gpu *gpu, uint32_t slot);	/* use := ZOMBIE */

static inline struct gpu_resource *resource_at(struct virtio_gpu *gpu, uint32_t slot)
{
	return &gpu->state->resource[slot];
}

#endif
