/* SPDX-License-Identifier: MIT */
/*
 * Engines that end for want of work, and their successors. Device thread only.
 *
 *   RUNNING --RETIRE--> RETIRING --dead--> RETIRED --the guest wants something--> STARTING -> RUNNING
 *
 * Theory of operation. An engine's RETIRE says that its checkpoint is whole and that it will not touch the ring again. It is believed
 * so far: the context is not lost by this engine's end. That end is brought about here (its channel is shut down; who stays is
 * killed), so a liar gains nothing; and one that has not lived for as long as it should have idled has lied.
 *
 * The guest wants something when the ring's tail is not where its head is. A doorbell rung before the engine was dead reached
 * nobody; so the ring is looked at when it is dead, on each doorbell after that, and when a process takes over. A
 * successor is started only when the keeper has been told that the predecessor's death was acted on (the channel has left
 * the link's table): its DIED, said again to another device process, would else be taken for the successor's.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_RETIREMENT_H
#define VGPU_QEMU_VIRTIO_GPU_RETIREMENT_H

#include "vgpu-qemu/virtio_gpu/gpu.h"

/* Milliseconds without work after which the context's engine may retire; 0: never. */
uint64_t retirement_idle_ms(const struct virtio_gpu *gpu, uint32_t context);
/* The engine said RETIRE. */
void retirement_begin(struct virtio_gpu *gpu, uint32_t context);
/* The context is RETIRED: starts another engine, now or with the next tick, if the guest wants something. */
void retirement_look(struct virtio_gpu *gpu, uint32_t context);
/* A process takes over: what RETIRING and RETIRED ask for. */
void retirement_resume(struct virtio_gpu *gpu, uint32_t context);
/* With each tick. */
void retirement_tick(struct virtio_gpu *gpu, uint64_t now_ns);

#endif
