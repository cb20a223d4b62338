/* SPDX-License-Identifier: MIT */
/*
 * This slot's entry of the vGPU's ledger of VRAM bytes (the protocol is struct vgpu_page's, keeper_protocol.h).
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_LEDGER_H
#define VGPU_QEMU_VIRTIO_GPU_LEDGER_H

#include "vgpu-qemu/virtio_gpu/gpu.h"

/* Recomputes the entry from the tables: after a takeover. */
void ledger_rebuild(struct virtio_gpu *gpu);
/* False: the vGPU's limit would be passed, nothing is charged. */
bool ledger_charge(struct virtio_gpu *gpu, uint64_t bytes);
/* True if bytes would fit once returning bytes of the charge are back. Says nothing of the present. */
bool ledger_fits(struct virtio_gpu *gpu, uint64_t bytes, uint64_t returning);
void ledger_refund(struct virtio_gpu *gpu, uint64_t bytes);

#endif
