/* SPDX-License-Identifier: MIT */
/*
 * The file behind BAR2: which blob holds which range of it, and that a range handed on reads as zero.
 *
 * The guest chooses the offset (virtio 1.3 §5.7.6.8, MAP_BLOB); the storage of a blob is the file at that offset. Its
 * pages exist only while it is mapped: letting go of a range punches it.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_APERTURE_H
#define VGPU_QEMU_VIRTIO_GPU_APERTURE_H

#include "vgpu-qemu/virtio_gpu/gpu.h"

/* Orders the ranges the state knows. -EPROTO if they overlap or lie outside the file. */
int aperture_rebuild(struct virtio_gpu *gpu);

/* The resource whose held range is exactly this, or GPU_NONE. */
uint32_t aperture_holder(const struct virtio_gpu *gpu, uint64_t offset, uint64_t bytes);

/* Punches [offset, offset + bytes of the resource) and gives it to the resource: MAPPED. -EINVAL: not page aligned or
 * not inside the file; -EBUSY: another blob's, or an engine may still touch it; -errno of the punch. */
int aperture_claim(struct virtio_gpu *gpu, uint32_t slot, uint64_t offset);
/* MAPPED becomes UNMAPPING: held, but to be let go. */
void aperture_condemn(struct virtio_gpu *gpu, uint32_t slot);
/* Punches the resource's range and frees it. On failure the range stays held and the log says so. */
int aperture_release(struct virtio_gpu *gpu, uint32_t slot);

/* Punches every page outside held ranges. Returns the bytes taken back, or -errno. */
int64_t aperture_punch_strays(struct virtio_gpu *gpu);

/* Writes into a held range, at most its bytes. 0 or -errno. */
int aperture_write(struct virtio_gpu *gpu, uint32_t slot, uint64_t offset, const void *buffer, uint32_t bytes);
/* Reads from one, likewise; the guest may be writing there. */
int aperture_read(struct virtio_gpu *gpu, uint32_t slot, uint64_t offset, void *buffer, uint32_t bytes);

#endif
