/* SPDX-License-Identifier: MIT */
/*
 * RESOURCE_CREATE_BLOBs that wait for memory which is being given back.
 *
 * Theory of operation. An UNREF is answered when its engine has let go, and its bytes stay charged until then; but the
 * guest's kernel drops a blob without waiting for that answer and asks for the next. Refusing it would be wrong by
 * milliseconds, and the guest's kernel hides refusals. So a CREATE that fits once everything on its way back is back waits: a resource
 * in use WAITING, whose id is taken and which is not charged, and a deferred element (GPU_PENDING_CREATE). The oldest is granted
 * first; younger ones that fit beside all that wait pass by. It is refused when nothing is left that could come back,
 * or after WAITING_PATIENCE_NS.
 *
 * The guest's kernel does not wait for the answer to CREATE either: MAP, UNMAP and UNREF of a WAITING resource are meant for what it
 * will be. MAP waits with it (GPU_PENDING_MAP_LATER); UNREF ends it. No other command waits.
 *
 * Granting happens in waiting_settle alone, which a takeover calls before anything else and the timer's tick later: it
 * finds out what to do from the state, so a kill between two steps costs nothing but the repetition.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_WAITING_H
#define VGPU_QEMU_VIRTIO_GPU_WAITING_H

#include "vgpu-qemu/virtio_gpu/request.h"

#define WAITING_MAX 16u				/* with their MAPs an eighth of the queue: the rest is for others */
#define WAITING_PATIENCE_NS 10000000000ull

/* True if so many bytes may be charged now without taking them from one that waits. */
bool waiting_lets_pass(struct virtio_gpu *gpu, uint64_t bytes);
/* The resource (MEMORY, not charged) cannot have its bytes now. GPU_DEFERRED, or why not. */
uint32_t waiting_create(struct virtio_gpu *gpu, const struct gpu_request *request, const struct gpu_resource *resource);

/* Commands that name a WAITING resource: a VIRTIO_GPU_RESP_* or GPU_DEFERRED. */
uint32_t waiting_create_again(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t slot);
uint32_t waiting_map(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t slot, uint64_t offset);
uint32_t waiting_unmap(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t slot);
uint32_t waiting_unref(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t slot);

/* Something has changed that one may have waited for: settled as soon as the event loop runs. */
void waiting_hurry(struct virtio_gpu *gpu);
/* Grants and refuses what is due. */
void waiting_settle(struct virtio_gpu *gpu);
/* After a takeover, when all tables are rebuilt. */
void waiting_rebuild(struct virtio_gpu *gpu);
/* Ends it, without a word to the guest: device reset. */
void waiting_drop(struct virtio_gpu *gpu, uint32_t slot);

#endif
