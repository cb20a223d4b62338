/* SPDX-License-Identifier: MIT */
/*
 * Guest contexts, their submissions, and the life of the engine behind each.
 *
 * A context's slot is its engine's name with the keeper; it is handed on only when that engine is dead and reaped. When an
 * engine dies the context is LOST, which the device writes into the ring's engine page, and nothing revives it; only
 * one that retired has a successor (retirement.h).
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_CONTEXTS_H
#define VGPU_QEMU_VIRTIO_GPU_CONTEXTS_H

#include "vgpu-qemu/virtio_gpu/request.h"

int contexts_rebuild(struct virtio_gpu *gpu);
/* Slot of the live context with the guest's id, or GPU_NONE. */
uint32_t context_find(const struct virtio_gpu *gpu, uint32_t id);
/* True while an engine may touch ranges that were ever mapped for this context slot. GPU_NONE: false. */
bool context_engine_may_touch(const struct virtio_gpu *gpu, uint32_t context);

/* Handlers of the control queue. */
uint32_t context_create(struct virtio_gpu *gpu, const struct gpu_request *request);
uint32_t context_destroy(struct virtio_gpu *gpu, const struct gpu_request *request);
uint32_t context_submit(struct virtio_gpu *gpu, const struct gpu_request *request);

/* Does what follows from the state for one slot; after any change, and after a takeover. */
void context_settle(struct virtio_gpu *gpu, uint32_t context);
/* Ends it, without a word to the guest: device reset. */
void context_drop(struct virtio_gpu *gpu, uint32_t context);

void context_engine_started(struct virtio_gpu *gpu, uint32_t context, int64_t pid);
void context_engine_died(struct virtio_gpu *gpu, uint32_t context, int64_t status);
/* The engine signalled its completion eventfd. */
void context_completed(struct virtio_gpu *gpu, uint32_t context);
/* The engine is to be killed, and the context will be LOST for this reason unless one is known already. */
void context_condemn(struct virtio_gpu *gpu, uint32_t context, uint32_t reason);
/* The engine says that it cannot go on. reason is its word for it. */
void context_fault(struct virtio_gpu *gpu, uint32_t context, uint64_t reason);
/* The ring of a context that is lost already was mapped: says so in it. */
void context_announce_lost(struct virtio_gpu *gpu, uint32_t context, uint32_t ring);

#endif
