/* SPDX-License-Identifier: MIT */
/*
 * Elements of the control queue whose answer has to wait: WAKE fences, UNREFs of ranges an engine still touches, MAPs an
 * engine's full channel has not taken yet, and CREATEs (with their MAPs) of memory that is still on its way back.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_PENDING_H
#define VGPU_QEMU_VIRTIO_GPU_PENDING_H

#include "vgpu-qemu/virtio_gpu/request.h"

/* True if the element's answer can be kept: its first response_bytes lie in at most GPU_PENDING_RANGES ranges, and the
 * guest has not offered a head twice. */
bool pending_possible(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t response_bytes);
/* Notes the element in the state; it must be possible. */
void pending_note(struct virtio_gpu *gpu, const struct gpu_request *request, enum gpu_pending_kind kind, uint32_t subject,
		  uint32_t response_bytes);
/* True if head waits as that kind for that subject. */
bool pending_is(const struct virtio_gpu *gpu, uint32_t head, enum gpu_pending_kind kind, uint32_t subject);
/* The head that waits as that kind for that subject, or GPU_NONE. */
uint32_t pending_find(const struct virtio_gpu *gpu, enum gpu_pending_kind kind, uint32_t subject);
/* A MAP_LATER goes on as a MAP. */
void pending_becomes_map(struct virtio_gpu *gpu, uint32_t head);
/* Writes the response (for a MAP also its map_info) and publishes it. */
void pending_answer(struct virtio_gpu *gpu, uint32_t head, uint32_t type);
/* The element is answered another way. */
void pending_forget(struct virtio_gpu *gpu, uint32_t head);
/* All are forgotten: device reset. */
void pending_forget_all(struct virtio_gpu *gpu);

/* After a takeover: counts; and publishes what was answered while no queue could be touched. */
int pending_rebuild(struct virtio_gpu *gpu);
void pending_publish_owed(struct virtio_gpu *gpu);

#endif
