/* SPDX-License-Identifier: MIT */
/*
 * The virtio-gpu device (virtio 1.3 §5.7): contexts, blobs, capset, submissions, fences.
 *
 * Everything it knows is struct gpu_state inside the state page, so that a fresh process goes on from it. The
 * event loop (vgpu-qemu/device.c) calls in; it calls out through guest_memory.h, virtqueue.h, keeper_link.h.
 * Device thread only. It never waits: what cannot be answered yet is deferred (WAKE fences until the engine
 * completes something; RESOURCE_UNREF until every engine has let go and the pages are punched; RESOURCE_CREATE_BLOB
 * until the memory of such an UNREF is back).
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_VIRTIO_GPU_H
#define VGPU_QEMU_VIRTIO_GPU_VIRTIO_GPU_H

#include "mdev/keeper/keeper_protocol.h"
#include "vgpu-qemu/guest_memory.h"
#include "vgpu-qemu/keeper_link.h"
#include "vgpu-qemu/virtqueue.h"

struct gpu_state;	/* vgpu-qemu/virtio_gpu/gpu_state.h: plain old data, a part of the state page */
struct virtio_gpu;

/* What the device may do, from config.json and the fixed layout. */
struct virtio_gpu_limits {
	uint64_t aperture_bytes;	/* of the backing file = shared memory capability = mmappable area */
	uint32_t max_contexts;		/* <= KEEPER_CONTEXT_MAX */
	uint64_t slack_bytes;
	uint64_t engine_idle_ms;	/* an engine without work for so long may retire; 0: never */
};

struct virtio_gpu_wiring {
	struct gpu_state *state;
	struct guest_memory *memory;
	struct virtqueue *control;
	struct virtqueue *cursor;
	struct keeper_link *keeper;
	struct vgpu_page *vgpu_page;	/* mapped; this slot's ledger entry is vgpu_page->slot[slot] */
	uint32_t slot;
	int aperture_fd;		/* borrowed */
	int capset_fd;			/* borrowed, read once */
	int epoll_fd;			/* engines' channels and completion eventfds, and a timer, are added here;
					 * data.u64 = VIRTIO_GPU_EVENT | whatever it likes in the low 32 bits */
	struct virtio_gpu_limits limits;
};
#define VIRTIO_GPU_EVENT (1ull << 63)

/* Device features offered beside VERSION_1 and INDIRECT_DESC: VIRGL (0), RESOURCE_BLOB (3), CONTEXT_INIT (4). */
uint64_t virtio_gpu_features(void);

/* Blank state of a device after power-on. */
void virtio_gpu_state_init(struct gpu_state *state);

/* Attaches to a state, blank or taken over: rebuilds this process's view (ledger entry, epoll registrations, engines asked
 * again with RESYNC). Borrows everything in wiring. 0 or -errno. */
int virtio_gpu_create(const struct virtio_gpu_wiring *wiring, struct virtio_gpu **ret_gpu);
/* Leaves the state as it is; the counterpart of create in this process. Accepts NULL. */
void virtio_gpu_destroy(struct virtio_gpu *gpu);

/* virtqueue_handler of queue 0 and queue 1. */
enum virtqueue_verdict virtio_gpu_control(void *gpu, const struct virtqueue_element *element, bool last_attempt,
					  uint32_t *ret_written);
enum virtqueue_verdict virtio_gpu_cursor(void *gpu, const struct virtqueue_element *element, bool last_attempt,
					 uint32_t *ret_written);

/* Device configuration space (virtio 1.3 §5.7.4): events_read, events_clear, num_scanouts 0, num_capsets 1. */
void virtio_gpu_config_read(struct virtio_gpu *gpu, uint32_t offset, void *buffer, uint32_t bytes);
void virtio_gpu_config_write(struct virtio_gpu *gpu, uint32_t offset, const void *buffer, uint32_t bytes);

/* An epoll event whose data.u64 has VIRTIO_GPU_EVENT. */
void virtio_gpu_event(struct virtio_gpu *gpu, uint64_t data, uint32_t events);

/* From the keeper link. */
void virtio_gpu_engine_started(struct virtio_gpu *gpu, uint32_t context, int64_t pid);
void virtio_gpu_engine_died(struct virtio_gpu *gpu, uint32_t context, int64_t status);

/* Device reset (virtio 1.3 §2.4): begins to end all contexts, kills engines, releases and punches all blobs. Outstanding elements are forgotten.
 * Returns at once; memory still held by a dying engine stays charged and refuses new mappings until it is dead. */
void virtio_gpu_reset(struct virtio_gpu *gpu);
/* True when nothing is left: no context, engine, blob (for FINISHED). */
bool virtio_gpu_idle(const struct virtio_gpu *gpu);

#endif
