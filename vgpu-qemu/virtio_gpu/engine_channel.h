/* SPDX-License-Identifier: MIT */
/*
 * The device's end of the channel to one context's engine (mdev/engine/engine_protocol.h).
 *
 * The engine is untrusted: what it says is parsed with bounds and concerns its own context's ranges and ledger charge
 * only; it may not read, may flood, may lie. Nothing here blocks: what the channel does not take is sent when it has
 * room. What to say is never queued as messages but derived from the resources' ranges, so a takeover says it again.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_ENGINE_CHANNEL_H
#define VGPU_QEMU_VIRTIO_GPU_ENGINE_CHANNEL_H

#include "vgpu-qemu/virtio_gpu/gpu.h"

/* Duplicates the descriptors the keeper link has for this context and says everything from the start: RESYNC, MAP and UNMAP
 * for every held range, RING. -ENOENT: the link has none. */
int engine_channel_attach(struct virtio_gpu *gpu, uint32_t context);
/* Out of epoll, closed: the engine is dead, or not listened to any more. */
void engine_channel_detach(struct virtio_gpu *gpu, uint32_t context);

/* Says nothing more, and lets the engine see the end. Not for one that has to be dead at once: nobody is killed. */
void engine_channel_end(struct virtio_gpu *gpu, uint32_t context);

/* The resource's range has changed: tells the owner's engine, now if it can. */
void engine_channel_touch(struct virtio_gpu *gpu, uint32_t resource);
/* True if the engine has been sent the MAP of this resource. */
bool engine_channel_told_map(const struct virtio_gpu *gpu, uint32_t resource);
/* A slot goes back to the table. */
void engine_channel_forget(struct virtio_gpu *gpu, uint32_t owner, uint32_t resource);

void engine_channel_ring_doorbell(struct virtio_gpu *gpu, uint32_t context);
void engine_channel_event(struct virtio_gpu *gpu, uint32_t context, uint32_t events);

#endif
