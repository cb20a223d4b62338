/* SPDX-License-Identifier: MIT */
/*
 * The driver's side of a split virtqueue (virtio 1.3 §2.7): requests out, responses in, many at a time.
 *
 * Theory of operation. A slot is one request under way: fixed buffers in the arena and fixed descriptors that point at
 * them, so nothing is allocated or linked per request. With INDIRECT_DESC a slot takes one ring descriptor (its two real
 * ones are in its own table) and 256 can be under way; without, it takes two and half as many can.
 * Any thread posts; queue_reap (the completion thread, and a waiter whose time is up) takes completions and runs the callbacks,
 * never under the lock. A notify is a socket round trip, so a batch costs one, and a thread that finds another one
 * notifying leaves its entries to that thread.
 * A device that breaks the ring or dies: queue_fail finishes every request with -ENODEV, and each request posted is
 * finished exactly once. The queue's memory belongs to the device until the connection ends.
 */
#ifndef VGPU_SHIM_TRANSPORT_DIRECT_QUEUE_H
#define VGPU_SHIM_TRANSPORT_DIRECT_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/transport/direct/arena.h"
#include "shim/transport/direct/virtio.h"

#define QUEUE_SIZE_MAX 256u
#define QUEUE_OUT_BYTES 128u
#define QUEUE_IN_BYTES 128u
#define QUEUE_BATCH_MAX 8u
#define QUEUE_ARENA_BYTES (512u * 1024)	/* more than enough for one queue and a large response */

/* Lives with the caller until it is finished. */
struct queue_request {
	const void *out;			/* copied when posted; at most QUEUE_OUT_BYTES */
	uint32_t out_bytes;
	uint32_t in_bytes;			/* at most QUEUE_IN_BYTES, or of large_in */
	void *in;				/* the response is copied here */
	const struct arena_piece *large_in;	/* or the device writes here, and nothing is copied */
	/* On the completion thread when finished; may free the request, must not post or wait. NULL: somebody waits. */
	void (*done)(struct queue_request *request);

	int status;				/* when finished: 0 or -ENODEV */
	uint32_t written;			/* bytes of response */
	bool finished;
	struct queue_request *next;
};

struct queue_slot {
	struct arena_piece out, in, table;
	struct queue_request *request;	/* NULL: free */
};

struct queue {
	struct virtio_device *device;
	uint16_t index;
	uint16_t size;
	uint16_t slot_count;
	bool indirect;
	uint64_t notify;
	struct arena_piece descriptors, available, used;
	struct queue_slot slot[QUEUE_SIZE_MAX];
	uint16_t free_slot[QUEUE_SIZE_MAX];
	unsigned free_count;
	uint16_t available_index;
	uint16_t used_index;
	uint64_t posted;		/* entries made available so far */
	uint64_t notified;		/* entries that the last notify covers */
	bool notifying;			/* a thread is sending one */
	bool failed;
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* a request finished or a slot came free */
	_Atomic uint64_t notify_count;	/* round trips spent, for tests */
};

/* Sets it up and enables it on the device: after FEATURES_OK, before DRIVER_OK. Borrows device; takes memory from arena. */
int queue_init(struct queue *queue, struct virtio_device *device, uint16_t index, uint16_t vector, bool indirect,
	       struct arena *arena);
/* After queue_fail and with no thread inside. */
void queue_finish(struct queue *queue);

/* Posts up to QUEUE_BATCH_MAX requests in order with one notify; waits for free slots. 0: each will be finished;
 * -ENODEV, -EINVAL, -ETIMEDOUT: none was posted. */
int queue_post(struct queue *queue, struct queue_request *const *requests, unsigned count, unsigned timeout_ms);
/* Waits for a request without callback. Its status, or -ETIMEDOUT: it is still the queue's (fail the queue before leaving). */
int queue_wait(struct queue *queue, struct queue_request *request, unsigned timeout_ms);
/* Takes what the device has completed. -EPROTO: the ring makes no sense; fail the queue. */
int queue_reap(struct queue *queue);
void queue_fail(struct queue *queue);

#endif
