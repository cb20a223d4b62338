/* SPDX-License-Identifier: MIT */
/*
 * virtio-gpu commands as the driver issues them (virtio 1.3 §5.7.6): capset, contexts, blobs, submissions, fences.
 *
 * The commands and their order are those of the Linux driver, so that the device sees the same from both transports.
 * Any thread may call. -ENODEV means that the device is gone for good.
 */
#ifndef VGPU_SHIM_TRANSPORT_DIRECT_GPU_H
#define VGPU_SHIM_TRANSPORT_DIRECT_GPU_H

#include <pthread.h>
#include <stdint.h>

#include "shim/transport/direct/aperture.h"
#include "shim/transport/direct/queue.h"
#include "shim/wire/wire.h"

/* Features: what we cannot do without, and what we use where it is. */
#define GPU_FEATURES_REQUIRED \
	((1ull << VIRTIO_F_VERSION_1) | (1ull << VIRTIO_GPU_F_VIRGL) | (1ull << VIRTIO_GPU_F_RESOURCE_BLOB) | \
	 (1ull << VIRTIO_GPU_F_CONTEXT_INIT))
#define GPU_FEATURES_OPTIONAL (1ull << VIRTIO_RING_F_INDIRECT_DESC)

#define GPU_CONTEXT_MAX 1024u
#define GPU_TIMEOUT_MS 60000u	/* of a command; the device answers an UNREF late, never this late */

struct gpu {
	struct queue *queue;
	struct aperture aperture;
	unsigned timeout_ms;
	pthread_mutex_t lock;
	pthread_cond_t released;
	unsigned releases_pending;	/* UNREFs not yet answered */
	uint32_t last_resource;
	uint64_t context_taken[GPU_CONTEXT_MAX / 64];
	uint64_t last_fence;
};

struct gpu_blob {
	uint32_t resource;
	uint64_t offset;	/* in the shared memory */
	uint64_t bytes;
};

/* A fenced submission: finished when the fence is signalled, or with -ENODEV. The caller's until then. */
struct gpu_fence {
	struct queue_request request;	/* done is the caller's */
	uint8_t response[QUEUE_IN_BYTES];
};

int gpu_init(struct gpu *gpu, struct queue *queue, uint64_t aperture_bytes, unsigned timeout_ms);
/* After queue_fail. */
void gpu_finish(struct gpu *gpu);

/* Reads capset WIRE_CAPSET_ID into `large` (of at least WIRE_CAPSET_MAX_BYTES + 24), a piece of the arena. *ret_data points into
 * it. -ENOENT: the device has no such capset. Set-up thread only. */
int gpu_capset_read(struct gpu *gpu, uint16_t capset_count, const struct arena_piece *large, const void **ret_data, size_t *ret_bytes);

/* A context of type WIRE_CAPSET_ID. -ENOSPC, -ENOMEM: the vGPU's limit of contexts. */
int gpu_context_create(struct gpu *gpu, const char *name, uint32_t *ret_context);
/* Returns when the device has answered. */
void gpu_context_destroy(struct gpu *gpu, uint32_t context);

/* Creates, maps and attaches a host3d blob of `bytes` (a multiple of 4096). -ENOMEM: limit or address space; then, if blobs
 * dropped before are still on their way, waits for them and tries once more. */
int gpu_blob_create(struct gpu *gpu, uint32_t context, uint64_t blob_id, uint64_t bytes, struct gpu_blob *ret_blob);
/* Drops it without waiting; its range is used again when the device has said that it is free. */
void gpu_blob_destroy(struct gpu *gpu, uint32_t context, const struct gpu_blob *blob);

/* Without a fence. wait: until the device has taken it, with its verdict; else at once. */
int gpu_submit(struct gpu *gpu, uint32_t context, const struct wire_submit *submit, bool wait);
/* On timeline `ring` of the context. 0: fence->request.done will be called. */
int gpu_submit_fenced(struct gpu *gpu, uint32_t context, uint8_t ring, const struct wire_submit *submit, struct gpu_fence *fence);

#endif
