/* SPDX-License-Identifier: MIT */
/*
 * What an engine may map of the aperture: whole blobs of its own context, and nothing else.
 *
 * The engine holds the aperture's descriptor, but its system-call filter turns each mmap of it into a question on a
 * listener (seccomp_unotify(2)), which is answered here from the resource table. The answer "go on" is safe although
 * the kernel then executes the call as it was asked: all that is judged are registers, which nobody else can change, and
 * the filter denies every way to put another file behind that descriptor's number or the file behind another number.
 *
 * Nothing here blocks: a request is received only when the kernel says that there is one.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_MAP_GUARD_H
#define VGPU_QEMU_VIRTIO_GPU_MAP_GUARD_H

#include "vgpu-qemu/virtio_gpu/gpu.h"

/* The engine's LISTENER: stores fd with the keeper and serves it. Takes fd. -EINVAL: fd is no listener; else -errno. The
 * same again changes nothing. */
int map_guard_take(struct virtio_gpu *gpu, uint32_t context, int fd);
/* With an attached channel: serves the listener that the keeper link has, if any, and answers what a former process had
 * received from it. 0 or -errno. */
int map_guard_begin(struct virtio_gpu *gpu, uint32_t context);
void map_guard_end(struct virtio_gpu *gpu, uint32_t context);
void map_guard_event(struct virtio_gpu *gpu, uint32_t context, uint32_t events);

#endif
