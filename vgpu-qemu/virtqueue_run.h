/* SPDX-License-Identifier: MIT */
/*
 * The owner's side of a virtqueue: virtio_pci.c sets it up, the event loop runs it, takeover recovers it.
 * Device thread only.
 */
#ifndef VGPU_QEMU_VIRTQUEUE_RUN_H
#define VGPU_QEMU_VIRTQUEUE_RUN_H

#include "vgpu-qemu/virtqueue.h"
#include "vgpu-qemu/virtqueue_state.h"

struct virtqueue_wiring {
	struct virtqueue_state *state;
	struct guest_memory *memory;
	virtqueue_handler *handler;
	/* Tells the guest: sets the ISR bit and raises the queue's vector. */
	void (*interrupt)(void *data, struct virtqueue *queue);
	/* The guest broke the ring: the device needs a reset. reason is for the log. */
	void (*broken)(void *data, struct virtqueue *queue, const char *reason);
	void *data;		/* of the three above */
	const char *name;	/* for the log */
};

/* Borrows everything in wiring. handler_data is set later (virtqueue_set_handler_data), as device and queue need each other. */
int virtqueue_create(const struct virtqueue_wiring *wiring, struct virtqueue **ret_queue);
void virtqueue_set_handler_data(struct virtqueue *queue, void *data);
void virtqueue_destroy(struct virtqueue *queue);

/* Checks what the driver has set up (virtio 1.3 §2.7, §4.1.4.3) and starts from index 0. 0, or -EINVAL/-EFAULT with *ret_reason. */
int virtqueue_enable(struct virtqueue *queue, const char **ret_reason);
/* Back to power-on: outstanding elements are forgotten. */
void virtqueue_reset(struct virtqueue *queue);

/* Finishes what a killed process has begun. Call once after a takeover, before run. */
void virtqueue_recover(struct virtqueue *queue);

/* Handles up to budget elements. True if there may be more. */
bool virtqueue_run(struct virtqueue *queue, unsigned budget);

/* True if the ring reads as if no driver had ever written it, although one says it did (share=off). */
bool virtqueue_looks_stale(struct virtqueue *queue);

#endif
