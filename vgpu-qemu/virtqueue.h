/* SPDX-License-Identifier: MIT */
/*
 * A split virtqueue (virtio 1.3 §2.7) that survives the death of its server.
 *
 * Theory of operation. The queue's progress is in the state page. An element is taken by writing {head,
 * next last_available, attempts} with state TAKEN, then moving last_available; it is handled; its
 * completion {head, used index, length} is written with state DONE before the guest sees it, then the used
 * ring, then the interrupt, then state FREE. A fresh process finishes what the record says: TAKEN is handled
 * again (the handler must be idempotent, and sees attempt > 1), DONE is published again. An element that
 * was taken twice by processes that died is not handled a third time but answered with an error.
 * A handler may defer: the element stays outstanding and is completed later by virtqueue_complete.
 */
#ifndef VGPU_QEMU_VIRTQUEUE_H
#define VGPU_QEMU_VIRTQUEUE_H

#include "vgpu-qemu/guest_memory.h"

#define VIRTQUEUE_SIZE_MAX 256u
#define VIRTQUEUE_CHAIN_MAX 512u	/* descriptors of one element, indirect ones included */

struct virtqueue;

/* An element as parsed: guest ranges only, copied and checked once. */
struct virtqueue_element {
	uint16_t head;
	uint32_t attempt;		/* 1 the first time */
	uint64_t serial;		/* of this element in this connection, the same again on a replay */
	unsigned readable_count;
	unsigned writable_count;
	uint64_t readable_bytes;
	uint64_t writable_bytes;
	struct guest_range range[VIRTQUEUE_CHAIN_MAX];	/* readable ones first */
};

enum virtqueue_verdict {
	VIRTQUEUE_COMPLETE,	/* handled; *ret_written bytes were written into the writable part */
	VIRTQUEUE_DEFER,	/* the handler has noted head in the state page and will call virtqueue_complete */
};

/* Called on the device thread for each element. last_attempt: it killed the process twice; answer with an error and
 * touch nothing else. */
typedef enum virtqueue_verdict virtqueue_handler(void *data, const struct virtqueue_element *element, bool last_attempt,
						 uint32_t *ret_written);

/* Copies at most bytes from the readable (writable) part, starting at offset. Returns bytes copied or -EFAULT. */
long virtqueue_element_read(struct guest_memory *memory, const struct virtqueue_element *element, uint64_t offset,
			    void *buffer, size_t bytes);
long virtqueue_element_write(struct guest_memory *memory, const struct virtqueue_element *element, uint64_t offset,
			     const void *buffer, size_t bytes);

/* Publishes a deferred element. written: bytes put into its writable part. Idempotent per head while it is outstanding;
 * an element that is not outstanding (the device was reset meanwhile) is ignored. */
void virtqueue_complete(struct virtqueue *queue, uint16_t head, uint32_t written);

#endif
