/* SPDX-License-Identifier: MIT */
/*
 * What is looked at from time to time: pages of the aperture outside blobs, and engines that do not let go.
 *
 * One timer. While nothing changes it backs off to one look (an fstat) every few seconds; a look that has to walk the
 * file makes the next one wait a hundred times as long as it took.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_AUDIT_H
#define VGPU_QEMU_VIRTIO_GPU_AUDIT_H

#include "vgpu-qemu/virtio_gpu/gpu.h"

#define AUDIT_HURRY_NS 250000000ull
#define AUDIT_LAZY_NS 2000000000ull
#define ENGINE_GRACE_NS 2000000000ull	/* to answer UNMAP, or to read MAP */
#define AUDIT_STRIKE_EVERY_NS 1000000000ull

int audit_begin(struct virtio_gpu *gpu);
void audit_end(struct virtio_gpu *gpu);
/* Something began that needs a look soon. */
void audit_hurry(struct virtio_gpu *gpu);
/* As soon as the event loop runs. */
void audit_now(struct virtio_gpu *gpu);
/* The timer fired. */
void audit_tick(struct virtio_gpu *gpu);

#endif
