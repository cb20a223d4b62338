/* SPDX-License-Identifier: MIT */
/*
 * A virtqueue's progress as the state page keeps it, see virtqueue.h's theory of operation.
 */
#ifndef VGPU_QEMU_VIRTQUEUE_STATE_H
#define VGPU_QEMU_VIRTQUEUE_STATE_H

#include <stdint.h>

#include "vgpu-qemu/virtqueue.h"

enum virtqueue_record_state {
	VIRTQUEUE_RECORD_FREE = 0,
	VIRTQUEUE_RECORD_TAKEN = 1,
	VIRTQUEUE_RECORD_DONE = 2,
};

/* The element being handled. */
struct virtqueue_taken {
	uint32_t state;			/* FREE or TAKEN, stored last */
	uint32_t attempts;		/* processes that began to handle it */
	uint64_t serial;
	uint16_t head;
	uint16_t next_available;
	uint32_t reserved;
};

/* The completion being published: of the element above, or of one that was deferred. */
struct virtqueue_done {
	uint32_t state;			/* FREE or DONE, stored last */
	uint32_t written;
	uint16_t head;
	uint16_t used_index;		/* where it goes */
	uint32_t reserved;
};

struct virtqueue_state {
	uint64_t descriptor_address;
	uint64_t driver_address;
	uint64_t device_address;
	uint64_t serial;		/* elements taken so far */
	uint16_t size;
	uint16_t enabled;
	uint16_t vector;		/* 0xffff: none */
	uint16_t last_available;
	uint16_t used_index;
	uint16_t reserved[3];
	struct virtqueue_taken taken;
	struct virtqueue_done done;
	uint64_t outstanding[VIRTQUEUE_SIZE_MAX / 64];	/* bit per head: taken, not completed */
};

#define VIRTQUEUE_NO_VECTOR 0xffffu

#endif
